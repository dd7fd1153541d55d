//! What a container's file system looks like from the kernel's side.
//!
//! The mounts come from the kernel's own list. The files are walked by a process that has entered
//! the container's mount namespace, so that a link which the container made leads nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use nix::unistd::Pid;

use super::spawn;
use crate::container_files::{Access, MOST_CONTENT_BYTES, change_here, read_here, walk_all};
use crate::local::plan::MountPlan;
use crate::local::protocol::LONGEST_LINE;
use crate::{FileChange, FileSystemView, ProcessPrivileges};

/// What the inspection knows about the container beforehand.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// Its volumes.
    pub mounts: &'a [MountPlan],
    /// The names of the pod's volumes, by position.
    pub volumes: Vec<String>,
    /// What the root held at the container's start.
    pub initial: BTreeSet<String>,
}

/// Describes the file system of the container whose first process is `first`.
pub(super) async fn inspect(first: Pid, known: Known<'_>) -> io::Result<FileSystemView> {
    let list = fs_err::read_to_string(format!("/proc/{first}/mountinfo"))?;
    let access = Access::of(&list);
    let writable_mounts: BTreeMap<String, Option<String>> = access
        .writable
        .into_iter()
        .map(|point| {
            let volume = known
                .mounts
                .iter()
                .find(|planned| planned.path == point)
                .map(|planned| known.volumes[planned.volume].clone());
            (point, volume)
        })
        .collect();
    let places: Vec<String> = writable_mounts.keys().cloned().collect();
    let bytes = spawn::look_into_container(first, LONGEST_LINE as u64, || {
        serde_json::to_vec(&walk_all(&places, &known.initial)).unwrap_or_default()
    })
    .await?;
    let files = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
    Ok(FileSystemView {
        root_is_read_only: access.root_is_read_only,
        writable_mounts,
        files,
        privileges: ProcessPrivileges::of(first.as_raw())?,
    })
}

/// Reads the start of a file of the container whose first process is `first`. A link is not followed.
pub(super) async fn read(first: Pid, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let limit = limit.min(MOST_CONTENT_BYTES);
    let reply = spawn::look_into_container(first, limit + 1, || {
        read_here(path, limit).map_or_else(
            |_| UNREADABLE.to_vec(),
            |content| [b"+", content.as_slice()].concat(),
        )
    })
    .await?;
    match reply.split_first() {
        Some((b'+', content)) => Ok(content.to_vec()),
        Some(_) | None => Err(io::Error::other("it cannot be opened as a plain file")),
    }
}

/// Stands for a file that could not be read; content is marked `+`.
const UNREADABLE: &[u8] = b"-";

/// Changes a file of the container whose first process is `first`.
pub(super) async fn change(first: Pid, path: &str, change: &FileChange) -> io::Result<()> {
    let reply = spawn::look_into_container(first, LONGEST_COMPLAINT, || {
        match change_here(path, change) {
            Ok(()) => DONE.to_vec(),
            Err(error) => error.to_string().into_bytes(),
        }
    })
    .await?;
    if reply == DONE {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&reply).into_owned(),
    ))
}

/// Stands for a change that was carried out; anything else is what the system said.
const DONE: &[u8] = b"+";

/// The most that is read of what the system said, in bytes.
const LONGEST_COMPLAINT: u64 = 512;
