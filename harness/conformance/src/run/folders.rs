//! Where a run keeps what outlives it, and what does not.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{AccessFlags, access};

use super::setup_error::SetupError;

/// The folder, beside those of the runs, that says which clusters are whose. Its name is no run's.
const CLUSTERS: &str = "made-clusters";
/// The folder, beside those of the runs, with the links under which the harness runs as a program that it carries.
const PROGRAMS: &str = "carried-programs";

/// Returns the folder in which pods keep short-lived files, one per user: what is in it outlives no run.
pub fn runtime_folder() -> Utf8PathBuf {
    let base = Utf8PathBuf::from_path_buf(std::env::temp_dir())
        .unwrap_or_else(|_| Utf8PathBuf::from("/tmp"));
    base.join(format!("conformance-{}", nix::unistd::getuid()))
}

/// Returns the folder in which pods keep short-lived files, made so that no other user reads what is in it.
///
/// # Errors
///
/// When it cannot be made, or another user has made it.
pub fn make_runtime_folder() -> Result<Utf8PathBuf, SetupError> {
    let path = runtime_folder();
    match private_folder(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(SetupError::Runtime { path, source }),
    }
}

/// Returns the folder in which pods would keep short-lived files, where it is there and usable or could be made; nothing is made.
///
/// # Errors
///
/// When another user has made it, or it cannot be made.
pub fn check_runtime_folder() -> Result<Utf8PathBuf, SetupError> {
    let path = runtime_folder();
    let checked = match path.symlink_metadata() {
        Ok(metadata) => own_folder(&metadata),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => check_writable(&path),
        Err(error) => Err(error),
    };
    match checked {
        Ok(()) => Ok(path),
        Err(source) => Err(SetupError::Runtime { path, source }),
    }
}

/// Says whether files could be made in a folder that may not be there yet: by the nearest folder upwards that is there.
///
/// # Errors
///
/// What the system would answer.
pub fn check_writable(folder: &Utf8Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|ancestor| ancestor.exists());
    let there = there.unwrap_or(Utf8Path::new("/"));
    if !there.is_dir() {
        return Err(std::io::ErrorKind::NotADirectory.into());
    }
    Ok(access(
        there.as_std_path(),
        AccessFlags::W_OK | AccessFlags::X_OK,
    )?)
}

/// Returns the folder, below that of short-lived files, that says which clusters are whose.
pub fn cluster_records(runtime: &Utf8Path) -> Utf8PathBuf {
    runtime.join(CLUSTERS)
}

/// Returns the folder, below that of short-lived files, with the links to programs that the harness carries.
pub fn program_links(runtime: &Utf8Path) -> Utf8PathBuf {
    runtime.join(PROGRAMS)
}

/// Makes the folder so that no other user reads what is in it, and refuses one that another user has made.
fn private_folder(path: &Utf8Path) -> std::io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            own_folder(&path.symlink_metadata()?)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        }
        Err(error) => Err(error),
    }
}

/// Refuses what is no folder of this user's.
fn own_folder(metadata: &std::fs::Metadata) -> std::io::Result<()> {
    if metadata.is_dir() && metadata.uid() == nix::unistd::getuid().as_raw() {
        Ok(())
    } else {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }
}
