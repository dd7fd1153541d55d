//! What the client, the proxy, the agent and the application saw of each request, and what that adds up to.

pub mod agent;
pub mod books;
pub mod call;
pub mod counters;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fleet;
pub mod join;
pub mod legs;
pub mod outcome;
pub mod proxy;
pub mod testimony;
pub mod upstream;

#[cfg(test)]
mod conservation_tests;
