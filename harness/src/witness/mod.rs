//! What the client, the proxy, the agent and the application saw of each request, and what that adds up to.

pub mod agent;
pub mod books;
pub mod call;
pub mod counters;
pub mod join;
pub mod outcome;
pub mod proxy;
pub mod testimony;
pub mod upstream;
