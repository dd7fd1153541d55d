//! What a pod denies its containers, and what its namespace demands of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the containers of a pod are denied, as far as the pod itself asks for it.
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
    /// Returns the name in the Kubernetes API.
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
