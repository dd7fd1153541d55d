//! The executables that a run needs: Envoy, what the harness carries, and what identifies each of them.

pub mod bounded_command;
mod cache_folder;
mod carried;
mod default_version;
mod envoy;
mod envoy_cache;
mod envoy_install;
mod error;
mod family;
mod identity;
mod install_step;
mod parenthood;
mod pip;
mod provision;

pub use self::cache_folder::cache_folder;
pub use self::carried::{CarriedProgram, link_carried};
pub use self::default_version::DEFAULT_ENVOY_VERSION;
pub use self::envoy::{EnvoyExecutable, EnvoySelection, EnvoyVersion, find_installed, locate};
pub use self::error::ExecutableError;
pub use self::identity::Identity;
pub use self::install_step::InstallStep;
pub use self::provision::{EnvoyProvision, provision_of_envoy};
