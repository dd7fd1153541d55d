//! What a node does with a Service whose only pods are being deleted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::feature::{Feature, FeatureSet};

/// Whether a Service without a ready pod still leads to those that are being deleted and serve. Kubernetes' kube-proxy does so since 1.26
/// (KEP-1669, `ProxyTerminatingEndpoints`).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TerminatingEndpoints {
    /// It does: connections end only when the pod's containers are no longer ready.
    #[default]
    Used,
    /// It does not: connections are refused from the deletion on.
    Unused,
}

impl TerminatingEndpoints {
    /// Returns the feature that an environment of this kind has.
    pub const fn feature(self) -> Feature {
        match self {
            Self::Used => Feature::TerminatingEndpointsUsed,
            Self::Unused => Feature::TerminatingEndpointsUnused,
        }
    }

    /// Returns what a scenario with these features is made for; where it names neither, what current clusters do.
    pub fn needed_by(features: &FeatureSet) -> Self {
        if features.contains(&Self::Unused.feature()) {
            Self::Unused
        } else {
            Self::Used
        }
    }
}
