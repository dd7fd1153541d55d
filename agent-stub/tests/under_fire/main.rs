//! The agent against peers that abuse HTTP/2, HPACK and gRPC: its memory stays bounded and it goes on answering.

mod floods;
mod frames;
mod malformed;
mod patience;
mod support;
