//! The control group of a container, out of which its processes are read again and again at little cost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::processes;
use super::protocol::ContainerId;

/// Where the node has its control groups.
const MOUNTED_AT: &str = "/sys/fs/cgroup";
/// The file of a group that lists its processes, by their numbers as the reader sees them (cgroups(7)).
const PROCESSES: &str = "cgroup.procs";
/// Hierarchies of version 1 that follow containers.
const HIERARCHIES_OF_VERSION_1: [&str; 3] = ["pids", "memory", "systemd"];
/// How deep below its root a container's group lies at most: slices of the class and of the pod, in a node that is a container itself.
const DEEPEST: usize = 10;

/// The control group of a container.
#[derive(Clone, Debug)]
pub(super) struct ControlGroup {
    container: ContainerId,
    first: Option<i32>,
    listing: Listing,
}

/// Where the processes of a container are found.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Listing {
    /// The container had ended: there are none.
    Ended,
    /// In this file.
    File(PathBuf),
    /// The group is not found: every process of the node is asked for its own.
    EveryProcess,
}

impl ControlGroup {
    /// Finds the group of a container.
    pub(super) fn of(container: &ContainerId) -> Self {
        let first = processes::first(container);
        let listing = first.map_or(Listing::Ended, |first| {
            roots(&processes::on_node(MOUNTED_AT))
                .iter()
                .find_map(|root| find(root, container, first, DEEPEST))
                .map_or(Listing::EveryProcess, Listing::File)
        });
        Self {
            container: container.clone(),
            first,
            listing,
        }
    }

    /// Returns the container's first process, where it ran.
    pub(super) const fn first(&self) -> Option<i32> {
        self.first
    }

    /// Returns the container's processes.
    pub(super) fn members(&self) -> BTreeSet<i32> {
        match &self.listing {
            Listing::Ended => BTreeSet::new(),
            Listing::File(list) => read(list),
            Listing::EveryProcess => processes::of(&self.container).into_iter().collect(),
        }
    }
}

/// Returns the roots of the hierarchies that list processes.
fn roots(mounted_at: &Path) -> Vec<PathBuf> {
    if mounted_at.join(PROCESSES).exists() {
        return vec![mounted_at.to_owned()];
    }
    HIERARCHIES_OF_VERSION_1
        .iter()
        .map(|hierarchy| mounted_at.join(hierarchy))
        .filter(|root| root.join(PROCESSES).exists())
        .collect()
}

/// Finds the list of the group that is named after the container and has its first process.
fn find(folder: &Path, container: &ContainerId, first: i32, depth: usize) -> Option<PathBuf> {
    let below: Vec<PathBuf> = fs_err::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    let is_container = |folder: &&PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| processes::names(name, container))
    };
    let mut own = below.iter().filter(is_container);
    let list = own.find_map(|folder| list_with(folder, first, depth));
    if list.is_some() {
        return list;
    }
    let depth = depth.checked_sub(1)?;
    below
        .iter()
        .find_map(|folder| find(folder, container, first, depth))
}

/// Finds the list with a process, in a container's group or in one below it: a runtime may put the processes there.
fn list_with(folder: &Path, first: i32, depth: usize) -> Option<PathBuf> {
    let list = folder.join(PROCESSES);
    if read(&list).contains(&first) {
        return Some(list);
    }
    let depth = depth.checked_sub(1)?;
    let entries = fs_err::read_dir(folder).ok()?;
    let mut folders = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.find_map(|entry| list_with(&entry.path(), first, depth))
}

/// Reads a list; none are left where the group has gone.
fn read(list: &Path) -> BTreeSet<i32> {
    let text = fs_err::read_to_string(list).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    const SLICES: &str = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice";
    const FOLDERS: &str = "kubepods/burstable/pod1";

    #[rstest]
    #[case::version_1_cgroupfs_containerd("pids", FOLDERS, "ID")]
    #[case::version_1_cgroupfs_crio("pids", FOLDERS, "crio-ID")]
    #[case::version_1_systemd_containerd("pids", SLICES, "cri-containerd-ID.scope")]
    #[case::version_1_systemd_crio("memory", SLICES, "crio-ID.scope")]
    #[case::version_1_in_a_node_that_is_a_container(
        "pids",
        "docker/f00/kubelet/kubepods/pod1",
        "ID"
    )]
    #[case::version_2_cgroupfs_containerd("", FOLDERS, "ID")]
    #[case::version_2_cgroupfs_crio("", FOLDERS, "crio-ID")]
    #[case::version_2_systemd_containerd("", SLICES, "cri-containerd-ID.scope")]
    #[case::version_2_systemd_crio("", SLICES, "crio-ID.scope")]
    #[case::version_2_systemd_crio_with_crun("", SLICES, "crio-ID.scope/container")]
    #[case::version_2_in_a_node_that_is_a_container(
        "",
        "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1.slice",
        "cri-containerd-ID.scope"
    )]
    fn a_containers_group_is_found_in_every_hierarchy(
        #[case] hierarchy: &str,
        #[case] pod: &str,
        #[case] container: &str,
    ) {
        let mount = tempfile::tempdir().expect("a folder");
        let root = mount.path().join(hierarchy);
        let folder = root.join(pod).join(container.replace("ID", ID));
        fs_err::create_dir_all(&folder).expect("writable");
        fs_err::create_dir_all(root.join("system.slice/other")).expect("writable");
        // CRI-O's monitor of the container, and another container beside it.
        for other in ["crio-conmon-ID.scope", "cri-containerd-f00.scope"] {
            let other = root.join(pod).join(other.replace("ID", ID));
            fs_err::create_dir_all(&other).expect("writable");
            fs_err::write(other.join(PROCESSES), "8\n").expect("writable");
        }
        fs_err::write(root.join(PROCESSES), "1\n").expect("writable");
        fs_err::write(folder.join(PROCESSES), "7\n12\n").expect("writable");
        let container: ContainerId = ID.parse().expect("an id");
        let roots = roots(mount.path());
        assert_eq!(roots.len(), 1);
        let list = folder.join(PROCESSES);
        let found = |first| find(&roots[0], &container, first, DEEPEST);
        assert_eq!(found(7), Some(list.clone()));
        assert_eq!(found(8), None, "it is of something else");
        assert_eq!(read(&list), BTreeSet::from([7, 12]));
        fs_err::remove_dir_all(&folder).expect("it is there");
        assert_eq!(found(7), None);
        assert!(read(&list).is_empty());
    }

    #[test]
    fn a_container_that_does_not_run_has_no_members_and_no_process_is_asked() {
        let group = ControlGroup::of(&ID.parse().expect("an id"));
        assert_eq!((group.first(), &group.listing), (None, &Listing::Ended));
        assert!(group.members().is_empty());
    }
}
