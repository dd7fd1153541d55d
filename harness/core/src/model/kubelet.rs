//! Whose probes, hooks and signals a run sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose probes, hooks and signals a run has seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kubelet {
    /// The harness followed the kubelet's rules.
    Rehearsed,
    /// A real kubelet.
    Real,
}
