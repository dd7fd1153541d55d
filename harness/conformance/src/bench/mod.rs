//! What the agent costs: arms that are measured beside each other on one Envoy, several sets of processes after another, and a verdict.
//!
//! It is no procedure: nothing is expected of a request but its answer, and nothing of it is kept but when it was due and answered.

mod agent_way;
pub mod arm;
pub mod arm_record;
mod driving;
pub mod error;
pub mod files;
pub mod gate;
pub mod generations;
mod histograms;
pub mod history;
pub mod inputs;
mod json_tree;
pub mod ladder;
pub mod ladder_record;
pub mod logs;
pub mod plots;
pub mod proxies;
mod proxy;
pub mod record;
pub mod request;
pub mod self_check;
pub mod stack;
pub mod stored;
pub mod table;
mod validity;
pub mod waits;
pub mod whole;
