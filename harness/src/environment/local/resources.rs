//! Tells whether a pod's processes would have what they need: a container that runs short of descriptors or disk for the user's shell's
//! sake misbehaves, and its agent would be blamed.

use camino::Utf8Path;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;

use crate::environment::EnvironmentFault;

/// The fewest descriptors that a process must be allowed. Envoy holds some forty before its first connection.
const FEWEST_DESCRIPTORS: u64 = 256;
/// The least free space for short-lived files: the logs of every pod lie there.
const LEAST_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// Checks what this process hands down to pods: its limit of descriptors, and the space below `runtime`.
///
/// # Errors
///
/// [`EnvironmentFault::Unsuitable`] with what is short and how it is made more.
pub fn check_resources(runtime: &Utf8Path) -> Result<(), EnvironmentFault> {
    // A system that does not tell is left to show it by what fails.
    if let Ok((descriptors, _)) = getrlimit(Resource::RLIMIT_NOFILE)
        && descriptors < FEWEST_DESCRIPTORS
    {
        return Err(EnvironmentFault::Unsuitable {
            reason: format!(
                "a process may have {descriptors} descriptors only, and so may each of a pod"
            ),
            hint: format!("`ulimit -n 1024`, at least {FEWEST_DESCRIPTORS}"),
        });
    }
    if let Ok(volume) = statvfs(runtime.as_std_path()) {
        let free = volume
            .blocks_available()
            .saturating_mul(volume.fragment_size());
        if free < LEAST_FREE_BYTES {
            return Err(EnvironmentFault::Unsuitable {
                reason: format!(
                    "{} KiB are free below {runtime}, where the pods' logs lie",
                    free / 1024
                ),
                hint: "free 64 MiB there, or set TMPDIR to another disk".into(),
            });
        }
    }
    Ok(())
}
