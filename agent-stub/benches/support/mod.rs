//! What the benchmarks of a Check share: its classes, and an agent that answers encoded Checks without a socket.

mod agent;
mod classes;
mod messages;

pub(crate) use agent::Agent;
pub(crate) use classes::all;
