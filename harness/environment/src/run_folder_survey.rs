//! Finds the folders of runs that nothing owns any more, and leaves them as they are.

use std::fs::File;
use std::io;

use camino::Utf8Path;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::run_folder::{LOCK_FILE, is_young};
use harness_core::model::identity::RunId;

/// Returns the runs whose folders below `base` the next sweep removes.
///
/// A folder that is younger than a minute is passed over: its run may be about to lock it, and must not find it locked by this look.
///
/// # Errors
///
/// When `base` cannot be read.
pub fn runs_left(base: &Utf8Path) -> io::Result<Vec<String>> {
    let entries = match base.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut left = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(run) = entry.file_name().parse::<RunId>()
            && entry.file_type()?.is_dir()
            && !is_young(entry.path())
            && has_no_owner(entry.path())?
        {
            left.push(run.to_string());
        }
    }
    left.sort();
    Ok(left)
}

fn has_no_owner(folder: &Utf8Path) -> io::Result<bool> {
    let lock = match File::open(folder.join(LOCK_FILE)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    match Flock::lock(lock, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(true),
        Err((_, Errno::EWOULDBLOCK)) => Ok(false),
        Err((_, errno)) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::RunFolder;

    fn age(folder: &Utf8Path) {
        let hour_ago = SystemTime::now() - Duration::from_hours(1);
        let folder = File::open(folder).expect("a folder");
        folder.set_modified(hour_ago).expect("ours");
    }

    #[test]
    fn a_folder_is_left_when_its_lock_can_be_had_and_stays() {
        let base = tempfile::tempdir().expect("a folder");
        let base = Utf8Path::from_path(base.path()).expect("UTF-8");
        let living: RunId = "abc123".parse().expect("valid");
        let owned = RunFolder::create(base, &living).expect("made");
        age(owned.path());
        let dead = base.join("def456");
        fs_err::create_dir(&dead).expect("made");
        fs_err::write(dead.join(LOCK_FILE), "").expect("made");
        assert_eq!(
            runs_left(base).expect("read"),
            Vec::<String>::new(),
            "it is young"
        );
        age(&dead);
        assert_eq!(runs_left(base).expect("read"), ["def456"]);
        assert!(dead.join(LOCK_FILE).exists());
    }
}
