//! Which processes belong to a container: those in the control group that carries its id.

use std::path::PathBuf;

use super::protocol::ContainerId;

/// The longest command line that is reported, in bytes.
const LONGEST_COMMAND_LINE: usize = 4096;

/// Returns every process number of the node.
fn all() -> Vec<i32> {
    let Ok(entries) = fs_err::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Returns the container's processes.
pub(super) fn of(container: &ContainerId) -> Vec<i32> {
    all()
        .into_iter()
        .filter(|process| is_in(*process, container))
        .collect()
}

/// Returns whether a process belongs to the container.
fn is_in(process: i32, container: &ContainerId) -> bool {
    fs_err::read_to_string(format!("/proc/{process}/cgroup"))
        .is_ok_and(|groups| groups.lines().any(|line| is_of(line, container)))
}

/// Returns whether a line of a process's control groups is of the container. A runtime may put its processes into a group below the container's: crun with
/// systemd and version 2 does (`crio-<id>.scope/container`).
fn is_of(line: &str, container: &ContainerId) -> bool {
    line.split('/').any(|part| names(part, container))
}

/// Returns whether a part of a control group's path names the container: `<id>`, `cri-containerd-<id>.scope`, `crio-<id>`. CRI-O's monitor of a
/// container, `crio-conmon-<id>`, is none of its processes.
pub(super) fn names(part: &str, container: &ContainerId) -> bool {
    let mut words = part.trim_end_matches(".scope").rsplit(['-', ':']);
    words.next().is_some_and(|id| id == container.as_str()) && words.next() != Some("conmon")
}

/// Returns the first process: the one that has number 1 in its own namespace, else the one whose parent is not in the container.
pub(super) fn first(container: &ContainerId) -> Option<i32> {
    let processes = of(container);
    let one = |process: &&i32| {
        status_field(**process, "NSpid:").is_some_and(|numbers| {
            let mut numbers = numbers.split_whitespace();
            numbers.next().is_some() && numbers.next_back() == Some("1")
        })
    };
    processes
        .iter()
        .find(one)
        .or_else(|| {
            processes
                .iter()
                .filter(|process| {
                    !parent(**process).is_some_and(|parent| processes.contains(&parent))
                })
                .min()
        })
        .copied()
}

/// Returns the process's parent.
pub(super) fn parent(process: i32) -> Option<i32> {
    status_field(process, "PPid:")?.parse().ok()
}

/// Returns whether the process runs: one that has ended and was not waited for does not.
pub(super) fn runs(process: i32) -> bool {
    status_field(process, "State:").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

fn status_field(process: i32, name: &str) -> Option<String> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Returns the arguments of the process's command line; none of a process that has none.
pub(super) fn command(process: i32) -> Vec<String> {
    let mut bytes = fs_err::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    bytes.truncate(LONGEST_COMMAND_LINE);
    let text = String::from_utf8_lossy(&bytes);
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Returns a folder of the node as it is seen from here: through the node's first process.
pub(super) fn on_node(path: &str) -> PathBuf {
    PathBuf::from(format!("/proc/1/root{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_its_container_also_in_a_group_below_its_own() {
        let hex = "0123456789abcdef0123456789abcdef";
        let id: ContainerId = hex.parse().expect("an id");
        let slice = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice";
        assert!(is_of(&format!("{slice}/crio-{hex}.scope/container"), &id));
        assert!(is_of(&format!("{slice}/cri-containerd-{hex}.scope"), &id));
        assert!(is_of(
            &format!("8:pids:/docker/f00/kubelet/kubepods/pod1/{hex}"),
            &id
        ));
        assert!(!is_of(&format!("{slice}/crio-conmon-{hex}.scope"), &id));
        assert!(!is_of(slice, &id));
    }

    #[test]
    fn a_control_group_names_its_container_in_every_runtimes_way() {
        let hex = "0123456789abcdef0123456789abcdef";
        let id: ContainerId = hex.parse().expect("an id");
        for part in [
            hex.to_owned(),
            format!("cri-containerd-{hex}.scope"),
            format!("crio-{hex}.scope"),
            format!("docker-{hex}.scope"),
            format!("kubepods-pod1:cri-containerd:{hex}"),
        ] {
            assert!(names(&part, &id), "{part}");
        }
        let monitor = format!("crio-conmon-{hex}.scope");
        for part in ["", "x", &hex[1..], &format!("{hex}0"), &monitor] {
            assert!(!names(part, &id), "{part}");
        }
    }
}
