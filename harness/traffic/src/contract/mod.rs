//! Calls to a gRPC server over HTTP/2, message by message as bytes: what is sent is what the plan says, and nothing is decoded here.

mod call;
mod checked_plan;
mod connection;
mod framing;
pub mod plan;
pub mod record;
mod run;

pub(crate) use checked_plan::{CheckedContract, ContractPlanError};
pub(crate) use run::run_contract;
