//! Which cluster a run uses: one that it makes, or one of the user's.

use crate::kube::cluster::tool::ClusterTool;
use harness_core::model::environment_kind::EnvironmentKind;

/// Which cluster a run uses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClusterChoice {
    /// A cluster of the user's, by a context of the kubeconfig; the current one when none is named.
    Existing {
        /// The context.
        context: Option<String>,
    },
    /// A cluster that is made for the run.
    Made {
        /// What makes it.
        tool: ClusterTool,
        /// The image of its nodes; when none is named, the newest that Docker already has, else the tool's own choice.
        node_image: Option<String>,
    },
}

impl ClusterChoice {
    /// Returns which environment it is.
    pub const fn kind(&self) -> EnvironmentKind {
        match self {
            Self::Existing { .. } => EnvironmentKind::Existing,
            Self::Made { tool, .. } => tool.kind(),
        }
    }
}
