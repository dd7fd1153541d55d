//! What the procedure about a cluster's admission is told by a scenario file, and the words of Kubernetes' Pod Security Standards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
use super::procedure::Case;

/// `admission`: whether the cluster lets the pod in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdmissionSpec {
    /// What must become of the pod.
    pub pod: Located<AdmissionOutcome>,
    /// Texts that the cluster's refusal must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// Requests that show that an admitted pod works.
    #[serde(default)]
    pub cases: Vec<Case>,
}

/// What becomes of a pod that a cluster is asked to let in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AdmissionOutcome {
    /// It is created, and works.
    Admitted,
    /// It is not created.
    Refused,
}

/// What the containers of a pod are kept from, as far as the pod itself asks for it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PodSecurity {
    /// Everything that the Pod Security Standard *restricted* demands: as `unprivileged`, and the runtime's own seccomp profile.
    Restricted,
    /// Another user than root, no capability, and no way to get more.
    Unprivileged,
}

/// A Pod Security Standard that a namespace can enforce.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PodSecurityStandard {
    /// Refuses known ways to more privileges.
    Baseline,
    /// Refuses whatever is not hardened.
    Restricted,
}

impl PodSecurityStandard {
    /// Returns the word of the Kubernetes API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

impl fmt::Display for PodSecurityStandard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
