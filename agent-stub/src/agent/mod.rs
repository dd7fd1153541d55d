//! The agent's lifecycle: prepare everything, open the listeners, load the rules, and stop without losing a line.

mod acceptance;
mod error;
mod grpc;
mod module_listener;
mod phase;
mod resources;
mod running;
mod tasks;

pub use error::AgentError;
pub use phase::AgentPhase;
pub use running::RunningAgent;
