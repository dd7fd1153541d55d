//! What a mutant writes, where it should not.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::mutant::fault_hooks::FaultHooks;
use crate::mutant::named::Mutant;
use crate::mutant::resource::keep_core_busy;
use crate::mutant::table::{Files, Resource};
use crate::settings::{Settings, SocketTarget};
use crate::workspace::{WorkspaceError, prove_writable};

impl FaultHooks {
    /// Does what a mutant does before it serves.
    ///
    /// # Errors
    ///
    /// It finds a reason not to start.
    pub fn begin(&self, settings: &Settings) -> Result<(), WorkspaceError> {
        let cache_directory = self.cache_directory(&settings.cache_directory);
        let socket = match &settings.rpc_address {
            SocketTarget::Tcp(_) => None,
            SocketTarget::Unix(path) => Some(path.as_path()),
        };
        self.check_earlier_run(&cache_directory, socket)?;
        if self.mutant() == Some(Mutant::Resource(Resource::BurnsCore)) {
            keep_core_busy();
        }
        match self.files_fault() {
            Some(Files::KeyInLog) => tracing::info!(secretaccesskey = secret_key(), "signing in"),
            Some(Files::KeyWorldReadable) => leave_key(&cache_directory)?,
            Some(Files::NeedsWritableRoot) => prove_writable(Path::new(OUTSIDE))?,
            Some(Files::WritesOutside) => {
                // A root that is read-only hides this fault, as it would a real agent's.
                let _written = fs::create_dir_all(OUTSIDE).and_then(|()| {
                    fs::write(Path::new(OUTSIDE).join("agent-stub.tmp"), b"outside\n")
                });
            }
            Some(
                Files::FillsVolume
                | Files::IgnoresCacheDirectory
                | Files::KeyInAnswers
                | Files::SilentOfPath
                | Files::StartsWithoutVolume,
            )
            | None => {}
        }
        Ok(())
    }

    /// Returns the directory of the cache.
    pub fn cache_directory(&self, set: &Path) -> PathBuf {
        match self.files_fault() {
            Some(Files::IgnoresCacheDirectory) => "/sigsci/tmp/cache".into(),
            Some(_) | None => set.into(),
        }
    }

    /// Takes what came of an attempt to write or to listen on a socket.
    ///
    /// # Errors
    ///
    /// The attempt failed, and the agent cannot do without.
    pub fn put_up_with<Value, Error>(
        &self,
        outcome: Result<Value, Error>,
        substitute: Value,
    ) -> Result<Value, Error> {
        match (self.files_fault(), outcome) {
            (Some(Files::StartsWithoutVolume), Err(_)) => Ok(substitute),
            (Some(_) | None, outcome) => outcome,
        }
    }

    /// Returns the reason that is given for an end.
    pub fn stated_reason(&self, reason: String) -> String {
        match self.files_fault() {
            Some(Files::SilentOfPath) => "cannot start".into(),
            Some(_) | None => reason,
        }
    }

    /// Writes what a check leaves behind.
    pub fn leave_behind(&self, cache_directory: &Path) {
        if self.files_fault() == Some(Files::FillsVolume) {
            let number = self
                .state()
                .checks
                .load(std::sync::atomic::Ordering::Relaxed);
            if number <= MOST_FILES {
                // A volume that is full is what this mutant is for.
                let _written = fs::write(
                    cache_directory.join(format!("check-{number}")),
                    vec![b'x'; 64 * 1024],
                );
            }
        }
    }

    fn files_fault(&self) -> Option<Files> {
        if let Some(Mutant::Files(files)) = self.mutant() {
            Some(files)
        } else {
            None
        }
    }
}

/// Returns the secret key, which an agent that is no mutant does not keep.
pub(super) fn secret_key() -> String {
    std::env::var("SIGSCI_SECRETACCESSKEY").unwrap_or_default()
}

fn leave_key(cache_directory: &Path) -> Result<(), WorkspaceError> {
    let path = cache_directory.join("access.key");
    let leave = || {
        fs::create_dir_all(cache_directory)?;
        fs::write(&path, secret_key())?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))
    };
    leave().map_err(|source| WorkspaceError::Directory {
        directory: cache_directory.into(),
        source,
    })
}

const OUTSIDE: &str = "/var/tmp";
// 128 MiB, so that the machine of a test is not filled.
const MOST_FILES: u64 = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_hooks(files: Files) -> FaultHooks {
        FaultHooks::of(Some(Mutant::Files(files)))
    }

    #[tokio::test]
    async fn each_check_leaves_a_file_in_the_cache_of_one_mutant_only() {
        let directory = tempfile::tempdir().expect("a directory");
        for fault_hooks in [FaultHooks::default(), fault_hooks(Files::FillsVolume)] {
            for _ in 0..3 {
                fault_hooks.take_up().await.expect("an answer");
                fault_hooks.leave_behind(directory.path());
            }
        }
        let files = std::fs::read_dir(directory.path())
            .expect("readable")
            .count();
        assert_eq!(files, 3);
    }

    #[test]
    fn the_cache_is_where_it_is_configured_but_for_one_mutant() {
        let set = Path::new("/var/sigsci/cache");
        assert_eq!(fault_hooks(Files::WritesOutside).cache_directory(set), set);
        let ignored = fault_hooks(Files::IgnoresCacheDirectory).cache_directory(set);
        assert_eq!(ignored, Path::new("/sigsci/tmp/cache"));
    }

    #[test]
    fn a_place_that_is_missing_is_borne_or_hushed_up_by_one_mutant_each() {
        let missing = || Err::<u8, u8>(1);
        assert_eq!(
            fault_hooks(Files::StartsWithoutVolume).put_up_with(missing(), 2),
            Ok(2)
        );
        assert_eq!(FaultHooks::default().put_up_with(missing(), 2), Err(1));
        let reason = || "cannot write into /a".to_owned();
        assert!(
            !fault_hooks(Files::SilentOfPath)
                .stated_reason(reason())
                .contains("/a")
        );
        assert_eq!(FaultHooks::default().stated_reason(reason()), reason());
    }

    #[test]
    fn the_key_that_is_left_can_be_read_by_everybody() {
        let directory = tempfile::tempdir().expect("a directory");
        leave_key(directory.path()).expect("writable");
        let left = std::fs::metadata(directory.path().join("access.key")).expect("left");
        assert_eq!(left.permissions().mode() & 0o777, 0o644);
    }
}
