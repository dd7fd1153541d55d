//! A container's files as the kernel shows them, seen from inside its mount namespace.
//!
//! The caller has entered that namespace: a link that the container made leads nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::{FileChange, FileEntry};
use harness_core::model::file_kind::FileKind;

/// The most files that are described.
const MOST_ENTRIES: usize = 20_000;

/// The deepest folder that is entered, counted from its mount point.
const DEEPEST: usize = 64;

/// The most that is read of one file.
pub(super) const MOST_CONTENT_BYTES: u64 = 16 * 1024 * 1024;

/// Reads the start of a plain file. A link is not followed.
pub(super) fn read_here(path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a plain file",
        ));
    }
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Changes a file. Readers see the old content or the new one.
pub(super) fn change_here(path: &str, change: &FileChange) -> io::Result<()> {
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
pub(super) fn describe_here(path: &str) -> Option<FileEntry> {
    let metadata = Path::new(path).symlink_metadata().ok()?;
    Some(entry_of(&metadata))
}

fn entry_of(metadata: &std::fs::Metadata) -> FileEntry {
    let kind = metadata.file_type();
    FileEntry {
        kind: kind_of(kind),
        size: if kind.is_file() { metadata.len() } else { 0 },
        mode: metadata.mode() & 0o7777,
    }
}

fn kind_of(kind: std::fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Link
    } else if kind.is_socket() {
        FileKind::Socket
    } else {
        FileKind::Other
    }
}
