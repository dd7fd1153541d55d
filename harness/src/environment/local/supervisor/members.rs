//! Which processes belong to a container: those in the process namespace of its first process.

use std::path::PathBuf;

use nix::unistd::Pid;

/// The longest command line that is reported.
const LONGEST_COMMAND_LINE: usize = 4096;

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
pub(super) fn command_lines(first: Pid) -> Vec<String> {
    of(first)
        .into_iter()
        .filter_map(|process| fs_err::read(format!("/proc/{process}/cmdline")).ok())
        .map(|mut bytes| {
            bytes.truncate(LONGEST_COMMAND_LINE);
            String::from_utf8_lossy(&bytes)
                .trim_end_matches('\0')
                .replace('\0', " ")
        })
        .filter(|line| !line.is_empty())
        .collect()
}

fn namespace_of(process: Pid) -> Option<PathBuf> {
    fs_err::read_link(format!("/proc/{process}/ns/pid")).ok()
}
