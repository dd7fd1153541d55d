//! Why a run cannot begin, and what the user can do about it.

use camino::Utf8PathBuf;

use crate::procedure::error::fault_hints;
use harness_artifacts::executable::ExecutableError;
use harness_artifacts::image::ImageError;
use harness_core::model::project::LoadError;
use harness_core::stack::keys::KeysError;
use harness_environment::EnvironmentFault;
use harness_environment::kube::LeaseError;

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Files that scenarios deploy are missing, wrong or unreadable.
    #[error(transparent)]
    Files(#[from] LoadError),
    /// An executable is not there.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// There are no keys for the agent.
    #[error("there are no keys for the agent")]
    Keys(#[from] KeysError),
    /// The environment cannot run pods.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// An image cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It cannot be known which clusters are kept.
    #[error("it cannot be known which clusters are kept")]
    Lease(#[from] LeaseError),
    /// What an earlier run left cannot be removed.
    #[error("cannot remove what an earlier run left in {path}")]
    Sweep {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The run's folder cannot be made.
    #[error("cannot write reports to {path}")]
    Output {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The folder of short-lived files cannot be had.
    #[error("cannot use {path} for short-lived files")]
    Runtime {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The harness cannot find itself.
    #[error("cannot find the harness's own executable")]
    OwnExecutable(#[source] std::io::Error),
}

impl SetupError {
    /// Returns what the user can do.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Executable(error) => error.hint().into_iter().collect(),
            Self::Environment(fault) => fault_hints(fault),
            Self::Image(_) => vec!["images can be named instead: `--agent-image`, `--envoy-image`, `--app-image`, `--driver-image`".into()],
            Self::Lease(_) => vec!["set HOME or XDG_STATE_HOME".into()],
            Self::Keys(_) => vec![
                "set both CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY, or neither for invented keys".into(),
            ],
            Self::Sweep { .. } => vec!["`conformance clean` tries again and says more".into()],
            Self::Runtime { .. } => vec!["remove it if it is not yours".into()],
            Self::Output { .. } => vec!["choose another folder with `--output DIR`".into()],
            Self::Files(_) | Self::OwnExecutable(_) => Vec::new(),
        }
    }
}
