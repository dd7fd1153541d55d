//! Latency under an open load: a plan of arms, the generator that interleaves them request by request, and its samples.
//!
//! It is apart from the driver of scenarios, which keeps a whole record of each request: here a request leaves 24 bytes, so that millions can be kept.

pub mod plan;
pub mod sample;

mod arrivals;
mod generator;
mod lane;

pub use self::generator::{GeneratorError, StopFlag, generate};
