//! The agent in one process, spoken to by gRPC as Envoy speaks to it.

mod anomalies;
mod decisions;
mod faults;
mod lifecycle;
mod response_data;
mod rules;
mod support;
mod thresholds;
mod tls;
mod unix_socket;
