//! What is served: decisions, the access log and the startup probe.

mod access_log;
mod authorization;
mod startup_probe;

pub use access_log::AccessLog;
pub use authorization::{Authorizer, Decisions};
pub use startup_probe::serve_startup_probe;
