//! What the client, the proxy, the agent and the application saw of each request, and what that adds up to.

pub mod agent;
pub mod agent_word;
pub mod call;
pub mod client_records;
pub mod collected;
pub mod counters;
pub mod fixture;
pub mod fleet;
pub mod hops;
pub mod ids;
pub mod join;
pub mod joined_requests;
pub mod log_line;
pub mod outcome;
pub mod proxy;
pub mod reconciliation;
pub mod settlement;
pub mod upstream;
pub mod wire;

pub(crate) mod line_store;
mod proxy_line;
mod records;
mod text;

#[cfg(test)]
mod conservation_tests;
