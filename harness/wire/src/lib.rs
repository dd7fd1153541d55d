//! What passed between proxy and agent: the stream of Envoy's transport-socket tap, decoded to checks and their answers.

pub mod record;

mod access_log;
mod connection;
mod exchange;
mod frames;
mod grpc;
mod headers;
mod hpack;
mod huffman;
mod losses;
#[cfg(test)]
mod reader_tests;
mod static_table;
mod tap;
#[cfg(test)]
mod test_wire;
mod wire_reader;

pub use record::{WireAnswer, WireRecord, WireVerdict};
pub use wire_reader::WireReader;
