//! `outage`: the agent is stopped or killed while requests go on, and must be asked again afterwards.

pub use self::specification::{Fault, OutageSpec};

mod carry_out;
mod kill;
mod memory;
mod overload;
mod requests;
mod specification;
