//! The executables of a run: found, built, and made into images.

use camino::{Utf8Path, Utf8PathBuf};

use super::setup_error::SetupError;
use super::setup_options::SetupOptions;
use harness_artifacts::executable::{
    EnvoySelection, ExecutableError, build_for_images, build_siblings, locate,
};
use harness_artifacts::image::{ImageRole, ImageSources, Images, build_images};

/// Executables that the user has named, in place of those of the checkout.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenBinaries<'a> {
    /// The agent.
    pub agent: Option<&'a Utf8Path>,
    /// The application.
    pub application: Option<&'a Utf8Path>,
}

/// Makes all images, with their archives in a folder.
///
/// # Errors
///
/// When an executable cannot be built, or an image cannot be made.
///
/// # Panics
///
/// When the build does: a bug.
pub async fn make_images(
    envoy: &Utf8Path,
    given: &GivenBinaries<'_>,
    archives: &Utf8Path,
    say: &(impl Fn(&str) + Sync),
) -> Result<Images, SetupError> {
    say("making the images; the first time takes minutes");
    let built = tokio::task::spawn_blocking(build_for_images)
        .await
        .expect("the build does not panic")?;
    let sources = ImageSources {
        agent: given.agent.map_or(built.agent_stub, Into::into),
        application: given.application.map_or(built.helloworld, Into::into),
        proxy: envoy.into(),
        driver: built.conformance,
    };
    Ok(build_images(&sources, archives)?)
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

/// Finds Envoy, and builds what the user has named no other executable for.
pub(super) fn find_programs(
    options: &SetupOptions,
    say: &impl Fn(&str),
) -> Result<Programs, ExecutableError> {
    let variable = std::env::var_os("ENVOY");
    let selection = EnvoySelection::choose(options.envoy.as_deref(), variable.as_deref())?;
    let envoy = locate(&selection, &mut |step| say(&step.to_string()))?.path;
    let (agent, application) = match (&options.agent_binary, &options.app_binary) {
        (Some(agent), Some(application)) => (agent.clone(), application.clone()),
        (agent, application) => {
            let siblings = build_siblings()?;
            (
                agent.clone().unwrap_or(siblings.agent_stub),
                application.clone().unwrap_or(siblings.helloworld),
            )
        }
    };
    Ok(Programs {
        envoy,
        agent: absolute(&agent),
        application: absolute(&application),
    })
}

fn absolute(path: &Utf8Path) -> Utf8PathBuf {
    camino::absolute_utf8(path).unwrap_or_else(|_| path.into())
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
