//! `conformance observe`: reads one request, carries it out, answers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::processes;
use super::protocol::{ContainerId, ObserveReply, ObserveRequest};
use super::watch::watch;
use crate::command_lines;
use crate::container_files::{
    Access, MOST_CONTENT_BYTES, change_here, describe_here, read_here, walk_all,
};
use crate::{ContainerFault, FileSystemView, ProcessPrivileges};

/// The longest request, in bytes.
const LONGEST_REQUEST: u64 = 32 * 1024 * 1024;

/// What kubelet and runtime mount into every container, writable though the root is not. Files in it are told of, as any others are.
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

/// Carries out the request on standard input and writes the answer to standard output.
///
/// # Errors
///
/// When the request cannot be read or the answer cannot be written. What cannot be carried out is answered as refused.
pub fn main() -> io::Result<()> {
    let mut line = Vec::new();
    io::stdin()
        .lock()
        .take(LONGEST_REQUEST)
        .read_until(b'\n', &mut line)?;
    let request: ObserveRequest = serde_json::from_slice(&line)?;
    let mut output = io::stdout().lock();
    if let ObserveRequest::Watch { containers } = &request {
        return watch(containers, &mut output);
    }
    let reply = carry_out(request).unwrap_or_else(|error| ObserveReply::Refused {
        reason: error.to_string(),
    });
    serde_json::to_writer(&mut output, &reply)?;
    output.write_all(b"\n")?;
    output.flush()
}

fn carry_out(request: ObserveRequest) -> io::Result<ObserveReply> {
    match request {
        ObserveRequest::ChangeFile {
            container,
            path,
            change,
        } => {
            enter(first_of(&container)?)?;
            change_here(&path, &change)?;
            Ok(ObserveReply::Done {
                at: Timestamp::now(),
            })
        }
        ObserveRequest::CommandLines { container } => {
            first_of(&container)?;
            command_lines::of_all(processes::of(&container)).map(ObserveReply::CommandLines)
        }
        ObserveRequest::Inject { container, fault } => {
            let at = Timestamp::now();
            inject(&container, fault)?;
            Ok(ObserveReply::Done { at })
        }
        ObserveRequest::InspectFiles { container, others } => {
            inspect(&container, &others).map(ObserveReply::Files)
        }
        ObserveRequest::ReadFile {
            container,
            path,
            limit,
        } => {
            enter(first_of(&container)?)?;
            let content = read_here(&path, limit.min(MOST_CONTENT_BYTES))?;
            Ok(ObserveReply::Content {
                base64: STANDARD.encode(content),
            })
        }
        ObserveRequest::Watch { .. } => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn first_of(container: &ContainerId) -> io::Result<i32> {
    processes::first(container).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "no process of the container runs on this node",
        )
    })
}

/// Enters the container's mount namespace, for good. This process has one thread.
fn enter(first: i32) -> io::Result<()> {
    let mounts = fs_err::File::open(format!("/proc/{first}/ns/mnt"))?;
    setns(&mounts, CloneFlags::CLONE_NEWNS)?;
    Ok(())
}

fn inject(container: &ContainerId, fault: ContainerFault) -> io::Result<()> {
    let first = first_of(container)?;
    let send = |process: i32, signal| match kill(Pid::from_raw(process), signal) {
        // It has ended meanwhile.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    let send_all = |signal| {
        processes::of(container)
            .into_iter()
            .try_for_each(|process| send(process, signal))
    };
    match fault {
        ContainerFault::Pause => send_all(Signal::SIGSTOP),
        ContainerFault::Resume => send_all(Signal::SIGCONT),
        ContainerFault::Kill => send(first, Signal::SIGKILL),
        ContainerFault::Reload => send(first, Signal::SIGHUP),
    }
}

/// Describes the container's files. Of a root that can be written to only what the container has added: the image's own files lie in
/// the layers below.
fn inspect(container: &ContainerId, others: &[ContainerId]) -> io::Result<FileSystemView> {
    let first = first_of(container)?;
    let list = fs_err::read_to_string(format!("/proc/{first}/mountinfo"))?;
    let access = Access::of(&list);
    let privileges = ProcessPrivileges::of(first)?;
    let added = if access.root_is_read_only {
        BTreeSet::new()
    } else {
        let provided = provided_to_all(others);
        added_to_root(&list)?
            .into_iter()
            .filter(|path| !provided.contains(path) && !leads_to_mount(&list, path))
            .collect()
    };
    enter(first)?;
    let places: Vec<String> = access
        .writable
        .iter()
        .filter(|place| *place != "/" && !place.starts_with("/sys/"))
        .cloned()
        .collect();
    let mut files = walk_all(&places, &BTreeSet::new());
    for path in added {
        if let Some(entry) = describe_here(&path) {
            files.insert(path, entry);
        }
    }
    // The runtime's own devices are no files that the container has written.
    files.retain(|path, entry| !is_device(path) || entry.kind == "file");
    Ok(FileSystemView {
        root_is_read_only: access.root_is_read_only,
        writable_mounts: access
            .writable
            .into_iter()
            .filter(|place| !PROVIDED.contains(&place.as_str()))
            .map(|place| (place, None))
            .collect::<BTreeMap<_, _>>(),
        files,
        privileges,
    })
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

/// Tells whether something is mounted on the path or below it: the runtime has made it for that.
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
            io::Error::other("the root can be written to, and what was added cannot be told apart")
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
