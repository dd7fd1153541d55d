//! Inspects one container and acts on it: the requests, the answers and the implementation that the supervisor of a local pod and the observer of a
//! node share.
//!
//! They differ in how they find a container's processes, which is an [`InspectedContainer`], and in how they enter its mount namespace to carry out what
//! is left [inside](Inspection::Inside). Requests and answers cross a process boundary on both sides, and what they are about is hostile: sizes and
//! counts are bounded.

pub(crate) use self::answering::{FileSearch, InspectedContainer, Inspection, begin_inspection};
pub(crate) use self::container_files::walk_all;
pub(crate) use self::mounts::MountAccess;
pub(crate) use self::protocol::{InspectionAnswer, InspectionFault, InspectionRequest};

mod answering;
mod command_lines;
mod container_files;
mod fault_injection;
mod mounts;
mod protocol;
