//! A container's files as the kernel shows them, seen from inside its mount namespace.
//!
//! The caller has entered that namespace: a link that the container made leads nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{FileChange, FileEntry};

/// The most files that are described.
const MOST_ENTRIES: usize = 20_000;

/// The deepest folder that is entered, counted from its mount point.
const DEEPEST: usize = 64;

/// The most that is read of one file.
pub(crate) const MOST_CONTENT_BYTES: u64 = 16 * 1024 * 1024;

/// Where a container can write.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whether the kernel has the root mounted read-only.
    pub root_is_read_only: bool,
    /// Every mount point that can be written to.
    pub writable: BTreeSet<String>,
}

impl Access {
    /// Reads the kernel's list of mounts, `/proc/<process>/mountinfo`. What the kernel and the runtime provide is left out.
    pub(crate) fn of(list: &str) -> Self {
        let mut access = Self {
            root_is_read_only: true,
            writable: BTreeSet::new(),
        };
        for mount in list.lines().filter_map(parse_mount) {
            let is_device = mount.point.starts_with("/dev/") && mount.file_system != "tmpfs";
            if mount.file_system == "proc" || mount.point.starts_with("/proc/") || is_device {
                continue;
            }
            if mount.point == "/" {
                access.root_is_read_only = !mount.writable;
            }
            if mount.writable {
                access.writable.insert(mount.point);
            } else {
                // A later line covers an earlier one at the same place.
                access.writable.remove(&mount.point);
            }
        }
        access
    }
}

/// One line of the kernel's list of mounts.
#[derive(Debug, Eq, PartialEq)]
struct Mount {
    point: String,
    file_system: String,
    writable: bool,
}

/// Reads the start of a plain file. A link is not followed.
pub(crate) fn read_here(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Changes a file. Readers see the old content or the new one.
pub(crate) fn change_here(path: &str, change: &FileChange) -> io::Result<()> {
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

/// Describes every file below these places, but those of `initial`.
pub(crate) fn walk_all(
    places: &[String],
    initial: &BTreeSet<String>,
) -> BTreeMap<String, FileEntry> {
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
            files.insert(name, entry_of(&metadata));
        }
        if kind.is_dir() && depth < DEEPEST {
            walk(&path, device, depth + 1, initial, files);
        }
    }
}

/// Describes one file; none where it is gone.
pub(crate) fn describe_here(path: &str) -> Option<FileEntry> {
    let metadata = Path::new(path).symlink_metadata().ok()?;
    Some(entry_of(&metadata))
}

fn entry_of(metadata: &std::fs::Metadata) -> FileEntry {
    let kind = metadata.file_type();
    FileEntry {
        kind: describe(kind).into(),
        size: if kind.is_file() { metadata.len() } else { 0 },
        mode: metadata.mode() & 0o7777,
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
