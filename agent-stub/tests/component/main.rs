//! The agent in one process, spoken to by gRPC as Envoy speaks to it.

mod decisions;
mod life;
mod response_data;
mod support;
mod tls;
