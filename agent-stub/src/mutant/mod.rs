//! Deliberately wrong agents: each is wrong in exactly one way, so that a suite can show that it would notice.

mod answer;
mod call;
mod detection;
mod fault_hooks;
mod files;
mod memory;
mod named;
mod policy;
mod record;
mod report;
mod resource;
mod sight;
mod sight_lists;
mod start;
mod stop;
mod table;

pub use fault_hooks::FaultHooks;
pub use named::{Mutant, UnknownMutant, listing};
pub use start::ProbeFile;
pub use table::{
    Answer, Call, Detection, Files, Memory, Policy, Record, Report, Resource, Sight, Start, Stop,
};
