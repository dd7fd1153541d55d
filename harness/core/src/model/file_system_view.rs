//! What a container's file system and its first process may do, as the kernel sees them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file_kind::FileKind;
use super::process_privileges::ProcessPrivileges;

/// A container's file system from the kernel's side, and as whom its first process uses it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileSystemView {
    /// Whether the kernel has the root mounted read-only.
    pub root_is_read_only: bool,
    /// Every mount point that the container can write to, with the volume's name where it is one
    /// of the pod's volumes.
    pub writable_mounts: BTreeMap<String, Option<String>>,
    /// Every file below the writable mounts and, where the root is writable, every file that the
    /// container has added to it: path inside the container to its description.
    pub files: BTreeMap<String, FileEntry>,
    /// What the kernel lets the container's first process do.
    pub privileges: ProcessPrivileges,
}

/// One file of a container.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileEntry {
    /// What it is.
    pub kind: FileKind,
    /// Bytes; 0 for anything but a file.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}
