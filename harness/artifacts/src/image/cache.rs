//! The folder of archives: which ones are still of use, and which have had their time.

use std::fs::FileTimes;
use std::io;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;

use crate::image::error::ImageError;
use crate::image::names::ImageRole;

/// How long an archive is kept after its last use. A run that is under way has loaded its archives long before.
const KEPT: Duration = Duration::from_hours(48);

/// Notes that an archive was used now.
pub(crate) fn mark_used(archive: &Utf8Path) -> io::Result<()> {
    let file = std::fs::File::options().append(true).open(archive)?;
    file.set_times(FileTimes::new().set_modified(SystemTime::now()))
}

/// Removes the archives that have not been used for two days: each change of an executable leaves one. What is no archive of an
/// image stays.
///
/// # Errors
///
/// When the folder cannot be read or an archive cannot be removed.
pub fn prune_archives(folder: &Utf8Path) -> Result<(), ImageError> {
    let failed = |source| ImageError::Io {
        action: format!("remove old archives from `{folder}`"),
        source,
    };
    for entry in folder.read_dir_utf8().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT));
        if is_old && is_archive_name(entry.file_name()) {
            match fs_err::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                // Another run removes the same.
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(())
}

/// Returns the file name of an archive.
pub(crate) fn archive_name(role: ImageRole, tag: &str) -> String {
    format!("{}-{tag}.tar", role.short_name())
}

fn is_archive_name(file_name: &str) -> bool {
    let Some((name, tag)) = file_name
        .strip_suffix(".tar")
        .and_then(|stem| stem.rsplit_once('-'))
    else {
        return false;
    };
    let is_digest = tag.len() == 12 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest && ImageRole::ALL.iter().any(|role| role.short_name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_go_two_days_after_their_last_use_and_other_files_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let old = SystemTime::now() - (KEPT + Duration::from_mins(1));
        let stale = archive_name(ImageRole::Agent, "0123456789ab");
        let used = archive_name(ImageRole::Driver, "0123456789ab");
        let others = [
            "notes.tar",
            "agent-stub-0123456789ab",
            "mine-0123456789ab.tar",
        ];
        for name in others.into_iter().chain([stale.as_str(), used.as_str()]) {
            let path = folder.join(name);
            fs_err::write(&path, "").expect("writable");
            let file = std::fs::File::options()
                .append(true)
                .open(&path)
                .expect("there");
            file.set_times(FileTimes::new().set_modified(old))
                .expect("ours");
        }
        mark_used(&folder.join(&used)).expect("it is there");
        prune_archives(folder).expect("it can be read");
        assert!(!folder.join(&stale).exists(), "{stale} is still there");
        for name in others.into_iter().chain([used.as_str()]) {
            assert!(folder.join(name).exists(), "{name} is gone");
        }
    }
}
