//! What the procedures about images are told by a scenario file: which image runs, and what a pull policy leads to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
use super::procedure::Case;

/// `provenance`: the digest of each container's image is the one that was built or asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProvenanceSpec {
    /// Requests that show that the containers work.
    pub cases: Vec<Case>,
}

/// `pull`: what the kubelet makes of the agent's image and its pull policy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PullSpec {
    /// What must become of the agent's container.
    pub agent: Located<PullOutcome>,
    /// The reasons of which the kubelet must give one, where the container never starts.
    #[serde(default)]
    pub reasons: Vec<Located<String>>,
    /// Requests that are sent to the proxy once it is known what becomes of the agent.
    pub cases: Vec<Case>,
}

/// What becomes of a container whose image is looked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PullOutcome {
    /// It is never started, and the pod is never ready.
    NeverStarts,
    /// It runs.
    Runs,
}

/// When the kubelet asks a registry for an image.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum PullPolicy {
    /// At each start of a container.
    Always,
    /// Where the node does not have it.
    IfNotPresent,
    /// Not at all.
    Never,
}

impl PullPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Always, Self::IfNotPresent, Self::Never];

    /// Returns the word of the Kubernetes API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}
