//! Which processes belong to a container: those in the process namespace of its first process.

use std::io;
use std::path::PathBuf;

use nix::unistd::Pid;

use crate::command_lines;

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

/// Returns the command line of each process of the container.
pub(super) fn command_lines(first: Pid) -> io::Result<Vec<String>> {
    command_lines::of_all(of(first).into_iter().map(Pid::as_raw))
}

fn namespace_of(process: Pid) -> Option<PathBuf> {
    fs_err::read_link(format!("/proc/{process}/ns/pid")).ok()
}
