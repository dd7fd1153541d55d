//! Checks whether a pod's processes would have what they need: a container that runs short of descriptors for the user's shell's sake
//! misbehaves, and its agent would be blamed.

use nix::sys::resource::{Resource, getrlimit};

use crate::EnvironmentFault;

/// The fewest descriptors that a process must be allowed. Envoy holds some forty before its first connection.
const FEWEST_DESCRIPTORS: u64 = 256;

/// Checks what this process hands down to pods: its limit of descriptors.
///
/// # Errors
///
/// [`EnvironmentFault::Unsuitable`] with what is short and how it is made more.
pub fn check_resources() -> Result<(), EnvironmentFault> {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((descriptors, _)) if descriptors < FEWEST_DESCRIPTORS => {
            Err(EnvironmentFault::Unsuitable {
                reason: format!(
                    "a process may have {descriptors} descriptors only, and so may each of a pod"
                ),
                hint: format!("`ulimit -n 1024`, at least {FEWEST_DESCRIPTORS}"),
            })
        }
        // A system that does not say is left to show it by what fails.
        Ok(_) | Err(_) => Ok(()),
    }
}
