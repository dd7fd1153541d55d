//! The executables of a run: found or carried, and made into images.

use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::folders::{make_runtime_folder, program_links};
use super::setup_error::SetupError;
use super::setup_options::SetupOptions;
use harness_artifacts::executable::{
    CarriedProgram, EnvoySelection, ExecutableError, link_carried, locate,
};
use harness_artifacts::image::{ImageRole, ImageSources, Images, build_images};

/// The option that names the agent.
pub const AGENT_OPTION: &str = "--agent-binary";
/// The option that names the application.
pub const APPLICATION_OPTION: &str = "--app-binary";

/// Executables that the user has named, in place of those that the harness carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenBinaries<'a> {
    /// The agent.
    pub agent: Option<&'a Utf8Path>,
    /// The application.
    pub application: Option<&'a Utf8Path>,
}

/// Makes all images, with their archives in a folder. `harness` is the executable that carries the programs which are not given.
///
/// # Errors
///
/// When an image cannot be made.
///
/// # Panics
///
/// When making an image does: a bug.
pub async fn make_images(
    harness: &Utf8Path,
    envoy: &Utf8Path,
    given: &GivenBinaries<'_>,
    archives: &Utf8Path,
    say: &(impl Fn(&str) + Sync),
) -> Result<Images, SetupError> {
    say("making the images");
    let sources = ImageSources {
        agent: agent_or_carried(given.agent, harness)?,
        application: application_or_carried(given.application, harness)?,
        proxy: envoy.into(),
        driver: harness.into(),
    };
    let archives = archives.to_owned();
    let built = tokio::task::spawn_blocking(move || build_images(&sources, &archives));
    Ok(built.await.expect("making an image does not panic")?)
}

/// Returns the path of the agent: what the user has named, else a link under which the harness is the reference stub.
///
/// # Errors
///
/// When what was named is no executable, or the link cannot be made.
pub fn agent_or_carried(
    given: Option<&Utf8Path>,
    harness: &Utf8Path,
) -> Result<Utf8PathBuf, SetupError> {
    match given {
        Some(path) => given_executable(path, AGENT_OPTION),
        None => carried(CarriedProgram::AgentStub, harness),
    }
}

/// Returns the path of the application: what the user has named, else a link under which the harness is that of the guide.
///
/// # Errors
///
/// As [`agent_or_carried`].
pub fn application_or_carried(
    given: Option<&Utf8Path>,
    harness: &Utf8Path,
) -> Result<Utf8PathBuf, SetupError> {
    match given {
        Some(path) => given_executable(path, APPLICATION_OPTION),
        None => carried(CarriedProgram::Helloworld, harness),
    }
}

/// Returns a link under which the harness is a program that it carries.
///
/// # Errors
///
/// When the link cannot be made.
pub fn carried(program: CarriedProgram, harness: &Utf8Path) -> Result<Utf8PathBuf, SetupError> {
    let links = program_links(&make_runtime_folder()?);
    Ok(link_carried(program, harness, &links)?)
}

/// Returns the absolute path of an executable that the user has named by an option.
///
/// # Errors
///
/// When it is no executable file.
pub fn given_executable(path: &Utf8Path, named_by: &str) -> Result<Utf8PathBuf, SetupError> {
    let is_executable = path
        .metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0);
    if !is_executable {
        return Err(SetupError::Executable(ExecutableError::Missing {
            path: path.to_string(),
            named_by: named_by.into(),
        }));
    }
    Ok(camino::absolute_utf8(path).unwrap_or_else(|_| path.into()))
}

/// What runs in the pods.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) envoy: Utf8PathBuf,
    pub(super) agent: Utf8PathBuf,
    pub(super) application: Utf8PathBuf,
}

impl Programs {
    /// Returns the executable of a role; the driver runs in no container here.
    pub(super) fn of(&self, role: ImageRole) -> Option<Utf8PathBuf> {
        match role {
            ImageRole::Agent => Some(self.agent.clone()),
            ImageRole::Application => Some(self.application.clone()),
            ImageRole::Driver => None,
            ImageRole::Proxy => Some(self.envoy.clone()),
        }
    }
}

/// Finds Envoy, and takes what the harness carries where the user has named no executable.
pub(super) fn find_programs(
    options: &SetupOptions,
    harness: &Utf8Path,
    say: &impl Fn(&str),
) -> Result<Programs, SetupError> {
    let variable = std::env::var_os("ENVOY");
    let selection = EnvoySelection::choose(options.envoy.as_deref(), variable.as_deref())?;
    let envoy = locate(&selection, &mut |step| say(&step.to_string()))?.path;
    let agent = options.agent_binary.as_deref();
    let application = options.app_binary.as_deref();
    Ok(Programs {
        envoy,
        agent: agent_or_carried(agent, harness)?,
        application: application_or_carried(application, harness)?,
    })
}

/// Returns the path of this process's executable.
pub fn own_executable() -> Result<Utf8PathBuf, SetupError> {
    std::env::current_exe()
        .and_then(|path| {
            Utf8PathBuf::from_path_buf(path).map_err(|path| {
                std::io::Error::other(format!("{} is not UTF-8", path.to_string_lossy()))
            })
        })
        .map_err(SetupError::OwnExecutable)
}
