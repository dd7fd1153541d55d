//! What is written down about a cluster that outlives the command that made it.

use std::collections::BTreeMap;
use std::io;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::EnvironmentFault;
use crate::kube::cluster::choice::ClusterNodes;
use crate::kube::cluster::tool::ClusterTool;
use harness_artifacts::image::ImageRole;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// A cluster that is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lease {
    pub(in crate::kube) version: u32,
    /// The cluster.
    pub name: String,
    /// What made it.
    pub tool: ClusterTool,
    /// Where its address and credentials are.
    pub kubeconfig: Utf8PathBuf,
    /// The image of its nodes, where one was named.
    pub node_image: Option<String>,
    /// How many nodes it has.
    #[serde(default = "one_node")]
    pub nodes: u8,
    /// Who made it: user and host.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
    /// Why it is kept.
    pub purpose: LeasePurpose,
    /// The images that were loaded into it, by name.
    pub images: BTreeMap<ImageRole, LoadedImage>,
}

const fn one_node() -> u8 {
    1
}

/// Why a cluster is kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeasePurpose {
    /// `up` made it for runs until then.
    ForRunsUntil(Timestamp),
    /// `run --keep` left it to be looked at, with everything in it. No run uses it, and nothing but `down --kept` removes it.
    ToLookAt,
}

/// An image that lies in a cluster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LoadedImage {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// Why leases cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// A file is no lease.
    #[error("the lease {path} is broken: {reason}")]
    Broken {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run goes on in the cluster.
    #[error("a run uses the cluster {name}")]
    InUse {
        /// The cluster.
        name: String,
    },
    /// The user has no folder for such things.
    #[error("there is no folder for leases: {reason}")]
    NoFolder {
        /// Why.
        reason: String,
    },
    /// An operation of the machine failed.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was attempted, after "cannot".
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl From<LeaseError> for EnvironmentFault {
    fn from(error: LeaseError) -> Self {
        let hint = match &error {
            LeaseError::Broken { path, .. } => Some(format!(
                "remove {path}; a cluster of that name is removed with `kind delete cluster --name NAME` or `k3d cluster delete NAME`"
            )),
            LeaseError::InUse { .. } => Some("wait for it to end, or interrupt it".into()),
            LeaseError::NoFolder { .. } => Some("set HOME or XDG_STATE_HOME".into()),
            LeaseError::Io { .. } => None,
        };
        Self::Cluster {
            action: "use the clusters that are kept between runs".into(),
            detail: error.to_string(),
            hint,
        }
    }
}

impl Lease {
    /// Writes down that a cluster is made now.
    pub(in crate::kube) fn new(
        name: &str,
        tool: ClusterTool,
        nodes: &ClusterNodes,
        purpose: LeasePurpose,
        kubeconfig: Utf8PathBuf,
    ) -> Self {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid());
        let user = user.ok().flatten().map(|user| user.name);
        let host = nix::unistd::gethostname().unwrap_or_default();
        Self {
            version: VERSION,
            name: name.into(),
            tool,
            kubeconfig,
            node_image: nodes.image.clone(),
            nodes: nodes.count.unwrap_or(1),
            made_by: format!(
                "{}@{}",
                user.unwrap_or_else(|| nix::unistd::getuid().to_string()),
                host.to_string_lossy()
            ),
            made_at: Timestamp::now(),
            purpose,
            images: BTreeMap::new(),
        }
    }

    /// Returns whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        match self.purpose {
            LeasePurpose::ForRunsUntil(until) => until <= now,
            LeasePurpose::ToLookAt => false,
        }
    }

    /// Returns whether runs may use it.
    pub fn is_for_runs(&self, now: Timestamp) -> bool {
        matches!(self.purpose, LeasePurpose::ForRunsUntil(_)) && !self.is_over(now)
    }
}
