//! What a container's file system looks like from the kernel's side.
//!
//! The mounts come from the kernel's own list. The files are walked by a process that has entered
//! the container's mount namespace, so that a link which the container made leads nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::unistd::Pid;

use super::spawn;
use crate::environment::local::plan::MountPlan;
use crate::environment::local::protocol::LONGEST_LINE;
use crate::environment::{FileChange, FileEntry, FileSystemView};

/// The most files that are described.
const MOST_ENTRIES: usize = 20_000;

/// The deepest folder that is entered, counted from its mount point.
const DEEPEST: usize = 64;

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

/// One line of the kernel's list of mounts.
#[derive(Debug, Eq, PartialEq)]
struct Mount {
    point: String,
    file_system: String,
    writable: bool,
}

/// Describes the file system of the container whose first process is `first`.
pub(super) async fn inspect(first: Pid, known: Known<'_>) -> io::Result<FileSystemView> {
    let list = fs_err::read_to_string(format!("/proc/{first}/mountinfo"))?;
    let mut writable_mounts = BTreeMap::new();
    let mut root_is_read_only = true;
    for mount in list.lines().filter_map(parse_mount) {
        let is_device = mount.point.starts_with("/dev/") && mount.file_system != "tmpfs";
        if mount.file_system == "proc" || mount.point.starts_with("/proc/") || is_device {
            continue;
        }
        if mount.point == "/" {
            root_is_read_only = !mount.writable;
        }
        if mount.writable {
            let volume = known
                .mounts
                .iter()
                .find(|planned| planned.path == mount.point)
                .map(|planned| known.volumes[planned.volume].clone());
            writable_mounts.insert(mount.point, volume);
        } else {
            // A later line covers an earlier one at the same place.
            writable_mounts.remove(&mount.point);
        }
    }
    let places: Vec<String> = writable_mounts.keys().cloned().collect();
    let bytes = spawn::look_into_container(first, LONGEST_LINE as u64, || {
        serde_json::to_vec(&walk_all(&places, &known.initial)).unwrap_or_default()
    })
    .await?;
    let files = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
    Ok(FileSystemView {
        root_is_read_only,
        writable_mounts,
        files,
    })
}

/// Reads the start of a file of the container whose first process is `first`. A link is not followed.
pub(super) async fn read(first: Pid, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let limit = limit.min(MOST_CONTENT_BYTES);
    let reply = spawn::look_into_container(first, limit + 1, || {
        read_here(path, limit).unwrap_or_else(|_| UNREADABLE.to_vec())
    })
    .await?;
    match reply.split_first() {
        Some((b'+', content)) => Ok(content.to_vec()),
        Some(_) | None => Err(io::Error::other("it cannot be opened as a plain file")),
    }
}

/// The most that is read of one file.
const MOST_CONTENT_BYTES: u64 = 16 * 1024 * 1024;

/// Stands for a file that could not be read; content is marked `+`.
const UNREADABLE: &[u8] = b"-";

fn read_here(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut content = b"+".to_vec();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

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

fn change_here(path: &str, change: &FileChange) -> io::Result<()> {
    match change {
        FileChange::Remove => fs_err::remove_file(path),
        FileChange::Write(text) => {
            let draft = format!("{path}.conformance");
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&draft)?;
            file.write_all(text.as_bytes())?;
            fs_err::rename(&draft, path)
        }
    }
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(4);
    let (point, options) = (fields.next()?, fields.next()?);
    let mut fields = file_system.split(' ');
    let (kind, super_options) = (fields.next()?, fields.nth(1)?);
    let writable = |options: &str| options.split(',').any(|option| option == "rw");
    Some(Mount {
        point: unescape(point),
        file_system: kind.to_owned(),
        writable: writable(options) && writable(super_options),
    })
}

/// Undoes the kernel's `\040`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let (b'\\', Some(code)) = (first, code) {
            bytes.push(code);
            rest = &tail[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn walk_all(places: &[String], initial: &BTreeSet<String>) -> BTreeMap<String, FileEntry> {
    let mut files = BTreeMap::new();
    for place in places {
        let place = Path::new(place);
        if let Ok(metadata) = place.symlink_metadata() {
            walk(place, metadata.dev(), 0, initial, &mut files);
        }
    }
    files
}

fn walk(
    folder: &Path,
    device: u64,
    depth: usize,
    initial: &BTreeSet<String>,
    files: &mut BTreeMap<String, FileEntry>,
) {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        if files.len() >= MOST_ENTRIES {
            return;
        }
        let path = entry.path();
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        // Another device is another mount: a writable one is walked by itself.
        if metadata.dev() != device {
            continue;
        }
        let kind = metadata.file_type();
        let name = path.to_string_lossy().into_owned();
        if !initial.contains(&name) {
            files.insert(
                name,
                FileEntry {
                    kind: describe(kind).into(),
                    size: if kind.is_file() { metadata.len() } else { 0 },
                    mode: metadata.mode() & 0o7777,
                },
            );
        }
        if kind.is_dir() && depth < DEEPEST {
            walk(&path, device, depth + 1, initial, files);
        }
    }
}

fn describe(kind: std::fs::FileType) -> &'static str {
    if kind.is_file() {
        "file"
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "link"
    } else if kind.is_socket() {
        "socket"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_tells_point_type_and_access() {
        let line = r"36 35 98:0 /a /mnt\040two rw,noatime master:1 - tmpfs none rw,size=64k";
        assert_eq!(
            parse_mount(line),
            Some(Mount {
                point: "/mnt two".into(),
                file_system: "tmpfs".into(),
                writable: true,
            })
        );
    }

    #[test]
    fn a_mount_of_a_read_only_file_system_is_not_writable() {
        let line = "36 35 98:0 / /mnt rw - ext4 /dev/vda ro";
        assert!(!parse_mount(line).expect("a mount").writable);
    }
}
