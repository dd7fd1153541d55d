//! Answers what is asked about a container, given how its processes are found.
//!
//! What the kernel shows of a container from outside is read first. What remains has to be done in the container's mount namespace, where a link that
//! the container made leads nowhere else: it is handed back as [`InsideWork`], because the observer enters a namespace for good and the supervisor of a
//! pod does so in a clone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use jiff::Timestamp;

use super::command_lines;
use super::container_files::{MOST_CONTENT_BYTES, change_here, describe_here, read_here, walk_all};
use super::fault_injection::inject;
use super::mounts::MountAccess;
use super::protocol::{InspectionAnswer, InspectionFault, InspectionRequest};
use crate::process_privileges::privileges_of;
use crate::{FileChange, FileSystemView};

/// A container that runs, as this process sees it.
pub(crate) trait InspectedContainer {
    /// Returns its first process.
    fn first_process(&self) -> i32;

    /// Returns all its processes.
    fn processes(&self) -> Vec<i32>;

    /// Returns how the files that it has of its own are found. `mounts` is the kernel's list of its mounts, and `access` what follows from it.
    ///
    /// # Errors
    ///
    /// When the container's own files cannot be distinguished from its image's.
    fn file_search(&self, mounts: &str, access: MountAccess) -> io::Result<FileSearch>;
}

/// How the files that a container has of its own are found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct FileSearch {
    /// The mount points that the container can write to, with the names of the volumes that are known.
    pub writable_mounts: BTreeMap<String, Option<String>>,
    /// The folders below which its files lie.
    pub folders: Vec<String>,
    /// What lies below them though the container did not put it there.
    pub provided: BTreeSet<String>,
    /// Files of its own outside these folders.
    pub added: BTreeSet<String>,
}

/// How far an inspection comes outside of the container.
#[derive(Debug)]
pub(crate) enum Inspection {
    /// To its end.
    Answered(InspectionAnswer),
    /// The rest is for a process in the container's mount namespace.
    Inside(InsideWork),
}

/// What is left to do in the container's mount namespace.
#[derive(Debug)]
pub(crate) enum InsideWork {
    /// Changes a file.
    ChangeFile { path: String, change: FileChange },
    /// Describes the files.
    Files {
        /// The view, without files.
        view: FileSystemView,
        /// How they are found.
        search: FileSearch,
    },
    /// Reads the start of a file, no more than is read of any.
    ReadFile { path: String, limit: u64 },
}

/// Does what can be done outside of the container.
///
/// # Errors
///
/// When the kernel does not show what is asked for, or refuses it.
pub(crate) fn begin_inspection(
    request: InspectionRequest,
    container: &impl InspectedContainer,
) -> io::Result<Inspection> {
    match request {
        InspectionRequest::ChangeFile { path, change } => {
            Ok(Inspection::Inside(InsideWork::ChangeFile { path, change }))
        }
        InspectionRequest::CommandLines => command_lines::of_all(container.processes())
            .map(InspectionAnswer::CommandLines)
            .map(Inspection::Answered),
        InspectionRequest::Files => files_work(container).map(Inspection::Inside),
        InspectionRequest::Inject(fault) => {
            let at = Timestamp::now();
            inject(container, fault)?;
            Ok(Inspection::Answered(InspectionAnswer::Done { at }))
        }
        InspectionRequest::ReadFile { path, limit } => {
            let limit = limit.min(MOST_CONTENT_BYTES);
            Ok(Inspection::Inside(InsideWork::ReadFile { path, limit }))
        }
    }
}

fn files_work(container: &impl InspectedContainer) -> io::Result<InsideWork> {
    let first = container.first_process();
    let mounts = fs_err::read_to_string(format!("/proc/{first}/mountinfo"))?;
    let access = MountAccess::of(&mounts);
    let root_is_read_only = access.root_is_read_only;
    let mut search = container.file_search(&mounts, access)?;
    let view = FileSystemView {
        root_is_read_only,
        writable_mounts: std::mem::take(&mut search.writable_mounts),
        files: BTreeMap::new(),
        privileges: privileges_of(first)?,
    };
    Ok(InsideWork::Files { view, search })
}

impl InsideWork {
    /// Does the work. This process is in the container's mount namespace.
    pub(crate) fn carry_out(self) -> Result<InspectionAnswer, InspectionFault> {
        match self {
            Self::ChangeFile { path, change } => {
                change_here(&path, &change)?;
                Ok(InspectionAnswer::done_now())
            }
            Self::Files { mut view, search } => {
                view.files = walk_all(&search.folders, &search.provided);
                for path in search.added {
                    if let Some(entry) = describe_here(&path) {
                        view.files.insert(path, entry);
                    }
                }
                Ok(InspectionAnswer::Files(view))
            }
            Self::ReadFile { path, limit } => {
                let content = read_here(&path, limit)?;
                Ok(InspectionAnswer::of_content(&content))
            }
        }
    }
}

#[cfg(test)]
#[path = "answering_tests.rs"]
mod tests;
