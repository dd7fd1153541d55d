//! The control group of a container, out of which its processes are read again and again at little cost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::processes;
use super::protocol::ContainerId;

/// Where the node has its control groups.
const MOUNTED_AT: &str = "/sys/fs/cgroup";
/// The file of a group that lists its processes, by their numbers as the reader sees them (cgroups(7)).
const PROCESSES: &str = "cgroup.procs";
/// A hierarchy that every node of version 1 has, and that follows containers.
const HIERARCHIES_OF_VERSION_1: [&str; 3] = ["pids", "memory", "systemd"];
/// How deep below its root a container's group lies at most: slices of the class and of the pod, in a node that is a container itself.
const DEEPEST: usize = 10;

/// The control group of a container.
#[derive(Clone, Debug)]
pub(super) struct ControlGroup {
    container: ContainerId,
    /// None where the group is not found; then every process of the node is asked for its group.
    list: Option<PathBuf>,
}

impl ControlGroup {
    /// Looks for the group of a container that runs.
    pub(super) fn of(container: &ContainerId) -> Self {
        let first = processes::first(container);
        let list = roots(&processes::on_node(MOUNTED_AT))
            .iter()
            .find_map(|root| find(root, container, DEEPEST))
            .map(|folder| folder.join(PROCESSES))
            // A list in which the first process is missing is of something else.
            .filter(|list| first.is_some_and(|first| read(list).contains(&first)));
        Self {
            container: container.clone(),
            list,
        }
    }

    /// Returns the container's processes.
    pub(super) fn members(&self) -> BTreeSet<i32> {
        match &self.list {
            Some(list) => read(list),
            None => processes::of(&self.container).into_iter().collect(),
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

fn find(folder: &Path, container: &ContainerId, depth: usize) -> Option<PathBuf> {
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
    if let Some(found) = below.iter().find(is_container) {
        return Some(found.clone());
    }
    let depth = depth.checked_sub(1)?;
    below
        .iter()
        .find_map(|folder| find(folder, container, depth))
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

    #[rstest]
    #[case::version_2(
        "",
        "kubelet.slice/kubepods.slice/pod1.slice",
        "cri-containerd-ID.scope"
    )]
    #[case::version_1("pids", "kubepods/burstable/pod1", "ID")]
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
        fs_err::write(root.join(PROCESSES), "1\n").expect("writable");
        fs_err::write(folder.join(PROCESSES), "7\n12\n").expect("writable");
        let container: ContainerId = ID.parse().expect("an id");
        let roots = roots(mount.path());
        assert_eq!(roots.len(), 1);
        let found = find(&roots[0], &container, DEEPEST);
        assert_eq!(found.as_deref(), Some(folder.as_path()));
        assert_eq!(read(&folder.join(PROCESSES)), BTreeSet::from([7, 12]));
        fs_err::remove_dir_all(&folder).expect("it is there");
        assert_eq!(find(&roots[0], &container, DEEPEST), None);
        assert!(read(&folder.join(PROCESSES)).is_empty());
    }

    #[test]
    fn a_container_that_does_not_run_has_no_list_and_no_members() {
        let group = ControlGroup::of(&ID.parse().expect("an id"));
        assert!(group.list.is_none());
        assert!(group.members().is_empty());
    }
}
