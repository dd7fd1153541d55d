//! Requests as bytes, the driver that sends them, and the records that it keeps.

pub mod driver;
pub mod plan;
pub mod record;

mod body_decoder;
mod bounded_lines;
mod checked_plan;
mod checked_stream;
mod connection;
mod error_chain;
mod escape;
mod pacing;
pub(crate) mod request_bytes;
mod response;
mod response_head;
mod stream;
