//! What the client, the proxy, the agent and the application saw of each request, and what that adds up to.

pub mod agent;
pub mod call;
pub mod collected;
pub mod counters;
pub mod fixture;
pub mod fleet;
pub mod hops;
pub mod join;
pub mod log_line;
pub mod outcome;
pub mod proxy;
pub mod reconciliation;
pub mod upstream;

#[cfg(test)]
mod conservation_tests;
