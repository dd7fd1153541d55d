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
        /// Its nodes.
        nodes: ClusterNodes,
    },
}

/// The most nodes of a cluster that is made.
pub const MOST_NODES: u8 = 9;

/// The nodes of a cluster that is made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClusterNodes {
    /// Their image; when none is named, the newest that Docker already has, else the tool's own choice.
    pub image: Option<String>,
    /// How many there are, from 1 to [`MOST_NODES`]; when none is named, one, or as many as a kept cluster has. Each takes pods.
    pub count: Option<u8>,
}

impl ClusterNodes {
    /// Returns how many there are besides the control plane.
    pub(super) fn workers(&self) -> u8 {
        self.count.unwrap_or(1).saturating_sub(1)
    }
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
