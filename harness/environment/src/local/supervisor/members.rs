//! Which processes belong to a container: those in the process namespace of its first process.

use std::path::PathBuf;

use nix::unistd::Pid;

/// Returns the container's processes, by their numbers in the pod.
pub(super) fn of(first: Pid) -> Vec<Pid> {
    let Some(namespace) = namespace_of(first) else {
        return Vec::new();
    };
    let Ok(entries) = fs_err::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .filter(|process| namespace_of(*process).as_ref() == Some(&namespace))
        .collect()
}

fn namespace_of(process: Pid) -> Option<PathBuf> {
    fs_err::read_link(format!("/proc/{process}/ns/pid")).ok()
}
