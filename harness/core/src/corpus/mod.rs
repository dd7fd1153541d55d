//! Requests from seeds: every value at every position and in every encoding at which it applies.
//!
//! It stands beside `model`, on which alone it depends: expansion does no I/O and needs no runtime, so it is neither part of
//! `traffic`, which sends, nor of `procedure`, which judges. The same seeds and the same number give the same bytes.

mod body;
mod carrier;
mod encode;
mod expand;
mod head;
mod multipart;
mod placement;
mod protocol;
pub mod random;
mod sample;
mod target;

#[cfg(test)]
mod expand_tests;
#[cfg(test)]
mod round_trip_tests;
#[cfg(test)]
mod shipped_tests;

pub use expand::{ExpandedRequest, ExpansionOptions, RequestKind, expand};
pub use protocol::CarrierProtocol;
