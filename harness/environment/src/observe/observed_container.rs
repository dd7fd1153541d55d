//! A container of this node as an inspection sees it: its processes by their control group, its own files by its root's upper layer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::processes;
use super::protocol::ContainerId;
use crate::FileSystemView;
use crate::inspection::{FileSearch, InspectedContainer, MountAccess, walk_all};
use harness_core::model::file_kind::FileKind;

/// What kubelet and runtime mount into every container, writable though the root is not. Files in it are described as any others are.
const PROVIDED: [&str; 8] = [
    "/dev",
    "/dev/mqueue",
    "/dev/shm",
    "/dev/termination-log",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/sys/fs/cgroup",
];

/// A container that runs on this node.
#[derive(Debug)]
pub(super) struct ObservedContainer {
    id: ContainerId,
    others: Vec<ContainerId>,
    first: i32,
}

impl ObservedContainer {
    /// Finds the container's first process. `others` are the other containers of its pod.
    pub(super) fn find(id: ContainerId, others: Vec<ContainerId>) -> io::Result<Self> {
        let first = processes::first(&id).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "no process of the container runs on this node",
            )
        })?;
        Ok(Self { id, others, first })
    }
}

impl InspectedContainer for ObservedContainer {
    fn first_process(&self) -> i32 {
        self.first
    }

    fn processes(&self) -> Vec<i32> {
        processes::of(&self.id)
    }

    /// Of a root that can be written to only what the container has added is searched: the image's own files lie in the layers below.
    fn file_search(&self, mounts: &str, access: MountAccess) -> io::Result<FileSearch> {
        let added = if access.root_is_read_only {
            BTreeSet::new()
        } else {
            let provided = provided_to_all(&self.others);
            added_to_root(mounts)?
                .into_iter()
                .filter(|path| !provided.contains(path) && !leads_to_mount(mounts, path))
                .collect()
        };
        let folders = access
            .writable
            .iter()
            .filter(|place| *place != "/" && !place.starts_with("/sys/"))
            .cloned()
            .collect();
        let writable_mounts = access
            .writable
            .into_iter()
            .filter(|place| !PROVIDED.contains(&place.as_str()))
            .map(|place| (place, None))
            .collect::<BTreeMap<_, _>>();
        Ok(FileSearch {
            writable_mounts,
            folders,
            provided: BTreeSet::new(),
            added,
        })
    }
}

/// Leaves the runtime's own devices out: they are no files that the container has written.
pub(super) fn leave_devices_out(view: &mut FileSystemView) {
    view.files
        .retain(|path, entry| !is_device(path) || entry.kind == FileKind::File);
}

fn is_device(path: &str) -> bool {
    path.starts_with("/dev/") && !path.starts_with("/dev/shm/")
}

/// Returns what the runtime has put into the root of each of these containers: places to mount on, and what its hooks bring.
fn provided_to_all(containers: &[ContainerId]) -> BTreeSet<String> {
    containers
        .iter()
        .filter_map(|container| {
            let first = processes::first(container)?;
            let list = fs_err::read_to_string(format!("/proc/{first}/mountinfo")).ok()?;
            added_to_root(&list).ok()
        })
        .reduce(|provided, added| &provided & &added)
        .unwrap_or_default()
}

/// Returns whether something is mounted on the path or below it: the runtime has made it for that.
fn leads_to_mount(list: &str, path: &str) -> bool {
    list.lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter_map(|point| point.strip_prefix(path))
        .any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the paths in the upper layer of the container's root.
fn added_to_root(list: &str) -> io::Result<BTreeSet<String>> {
    let upper = list
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/"))
        .find_map(|line| {
            line.split([' ', ','])
                .find_map(|option| option.strip_prefix("upperdir="))
        })
        .ok_or_else(|| {
            io::Error::other("the root can be written to, and what was added cannot be distinguished from the image")
        })?;
    let folder = processes::on_node(upper);
    let prefix = folder.to_string_lossy().into_owned();
    Ok(walk_all(std::slice::from_ref(&prefix), &BTreeSet::new())
        .into_keys()
        .filter_map(|path| path.strip_prefix(&prefix).map(str::to_owned))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_mount_was_made_by_the_runtime() {
        let list = "36 35 0:1 / / rw - overlay o rw\n37 36 0:2 / /var/run/secrets rw - tmpfs t rw";
        for path in ["/var", "/var/run", "/var/run/secrets"] {
            assert!(leads_to_mount(list, path), "{path}");
        }
        for path in ["/va", "/var/run/secrets/key", "/tmp"] {
            assert!(!leads_to_mount(list, path), "{path}");
        }
    }
}
