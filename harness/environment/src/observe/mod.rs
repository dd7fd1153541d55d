//! The observer: inspects containers from the node that runs them, and does to them what a scenario asks for.
//!
//! It is started inside a privileged pod that shares the node's processes, reads one request as a JSON line on standard input, and
//! answers with JSON lines. It knows nothing of Kubernetes: a container is an id that the kernel's control groups carry.

pub use self::answer::main;
pub(crate) use self::protocol::{
    ContainerId, LONGEST_REPLY, ObserveReply, ObserveRequest, ProcessChange, ProcessReport,
};

mod answer;
mod control_group;
mod observed_container;
mod processes;
mod protocol;
mod runtime;
mod watch;
