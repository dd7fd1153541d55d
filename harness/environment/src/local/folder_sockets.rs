//! Sockets in a pod's folder, by paths that are short wherever the folder is.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

/// The folder of one pod, held open. A socket's path may have 108 bytes at most; through the descriptor it has fewer.
#[derive(Debug)]
pub(super) struct FolderSockets {
    folder: File,
}

impl FolderSockets {
    /// Opens the folder.
    pub(super) fn open(folder: &Utf8Path) -> io::Result<Self> {
        let folder = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(folder)?;
        Ok(Self { folder })
    }

    /// Returns the path of a socket in the folder, for as long as the folder is held.
    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd()).into()
    }
}
