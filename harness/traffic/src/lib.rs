//! Requests as bytes, the driver that sends them, and the records that it keeps.

pub mod contract;
pub mod driver;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod latency;
pub mod plan;
pub mod record;
pub mod tls_plan;

mod body_decoder;
mod bounded_lines;
mod checked_plan;
mod checked_stream;
mod connection;
mod descriptor_limit;
mod error_chain;
pub mod escape;
mod failure;
mod http2;
mod http2_head;
mod http2_send;
mod pacing;
pub mod request_bytes;
mod request_layout;
mod response;
mod response_head;
mod send_schedule;
mod stream;
mod surplus;
mod tls;
mod transport;
mod upgrade;
mod websocket;
