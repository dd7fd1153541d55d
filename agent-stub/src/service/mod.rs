//! What is served: decisions, the access log and the startup probe.

mod access_log;
mod authorization;
mod decisions;
mod fault;
mod startup_probe;
mod stream_reset;
mod wrong_answer;

pub use access_log::AccessLog;
pub use authorization::Authorizer;
pub use decisions::Decisions;
pub use fault::{FAULT_HEADER, Failure, RequestedFault, WrongAnswer};
pub use startup_probe::serve_startup_probe;
pub use stream_reset::{ResetOnDemand, ResetStream, StreamResetLayer, StreamResetService};
