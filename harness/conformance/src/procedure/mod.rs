//! How each kind of scenario is carried out.
//!
//! A procedure is one file or folder: its specification, which a scenario file gives, the checks of it, what it asserts, what it needs, and
//! how it is carried out. `registry.rs` has a line for each. The other files are what procedures share: the deployment with its traffic and
//! records, waits, and judgements that several of them make.

pub use self::results::{JudgedCall, JudgedRequest, MatrixCell, MatrixCount, ProcedureResults};

pub mod admission;
pub mod agent_log;
pub mod client_security;
pub mod conclusion;
pub mod contract;
pub mod deployment;
pub mod drain;
pub mod drive;
pub mod endurance;
pub mod error;
pub mod exchange;
pub mod expected;
pub mod exposure;
pub mod filesystem;
pub mod final_reconciliation;
pub mod interface;
pub mod observations;
pub mod outage;
pub mod plan;
pub mod pod_logs;
pub mod pods;
pub mod provenance;
pub mod pull;
pub mod refusal;
pub mod registry;
pub mod reload;
pub mod request_ids;
pub mod results;
pub mod rollout;
pub mod round;
pub mod secrecy;
pub mod stall;
pub mod startup;
pub mod stream_pair;
pub mod waits;
mod wire_tap;
