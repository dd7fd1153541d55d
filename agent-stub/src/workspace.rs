//! The agent's files: the cached rules, the geolocation data and the file of the startup probe.
//!
//! A read-only root without a writable mount must end the start, so every place is tried out before it is needed.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// The places that the agent writes to.
#[derive(Clone, Debug)]
pub struct Workspace {
    // None in an agent that keeps nothing.
    cache_directory: Option<PathBuf>,
    startup_probe_file: Option<PathBuf>,
}

/// Why a place cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A directory is not there and cannot be made, or nothing can be written into it.
    #[error("cannot write into {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The startup probe's file of an earlier run is still there.
    #[error("cannot remove the old {}", path.display())]
    StaleProbeFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Workspace {
    /// Returns the workspace of an agent that writes nothing.
    pub fn nowhere() -> Self {
        Self {
            cache_directory: None,
            startup_probe_file: None,
        }
    }

    /// Makes the directories and proves that they can be written to.
    ///
    /// # Errors
    ///
    /// A directory cannot be made or written to, or an old probe file cannot be removed.
    pub fn prepare(
        cache_directory: &Path,
        startup_probe_file: Option<&Path>,
    ) -> Result<Self, WorkspaceError> {
        prove_writable(cache_directory)?;
        if let Some(path) = startup_probe_file {
            prove_writable(directory_of(path))?;
            // A container that restarts finds its volume as it was; an old file would report a start that has not happened.
            match fs::remove_file(path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(WorkspaceError::StaleProbeFile {
                        path: path.into(),
                        source,
                    });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(Self {
            cache_directory: Some(cache_directory.into()),
            startup_probe_file: startup_probe_file.map(Into::into),
        })
    }

    /// Writes what an agent keeps once its rules are there.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn write_cache(&self) -> io::Result<()> {
        let Some(directory) = &self.cache_directory else {
            return Ok(());
        };
        replace(&directory.join("rules.json"), br#"{"rules":"built-in"}"#)?;
        replace(&directory.join("geo.dat"), b"no geolocation data\n")
    }

    /// Writes the file by which the startup probe sees that the rules are loaded.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write_probe_file(&self) -> io::Result<()> {
        match &self.startup_probe_file {
            Some(path) => replace(path, b"started\n"),
            None => Ok(()),
        }
    }
}

/// Makes a directory if need be and proves that a file can be made in it.
///
/// # Errors
///
/// The directory cannot be made or written to.
pub fn prove_writable(directory: &Path) -> Result<(), WorkspaceError> {
    let refused = |source| WorkspaceError::Directory {
        directory: directory.into(),
        source,
    };
    fs::create_dir_all(directory).map_err(refused)?;
    let trial = directory.join(format!(".agent-stub-{}", std::process::id()));
    fs::write(&trial, b"").map_err(refused)?;
    fs::remove_file(&trial).map_err(refused)
}

/// Returns the directory that a file is in.
pub fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

// Readers see the old file or the new one, never half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, content)?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_file_of_an_earlier_run_goes_and_comes_back_with_the_rules() {
        let directory = tempfile::tempdir().expect("a directory");
        let probe = directory.path().join("started");
        fs::write(&probe, b"old").expect("writable");
        let cache = directory.path().join("a/b/cache");
        let workspace = Workspace::prepare(&cache, Some(&probe)).expect("writable");
        assert!(!probe.exists());
        workspace.write_cache().expect("writable");
        workspace.write_probe_file().expect("writable");
        assert!(
            probe.exists() && cache.join("rules.json").exists() && cache.join("geo.dat").exists()
        );
    }

    #[test]
    fn a_directory_below_a_file_is_refused_by_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, b"").expect("writable");
        let error = Workspace::prepare(&file.join("cache"), None).expect_err("not a directory");
        assert!(error.to_string().contains("file/cache"), "{error}");
    }
}
