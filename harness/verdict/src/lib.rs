//! From records to findings: what the witnesses saw, the join, the outcome, the totals, and what was expected of each. No tokio.

pub mod judge;
pub mod latency;
pub mod witness;
