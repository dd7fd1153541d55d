//! What must become of the two streams of a rollout.

use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::located::Located;

/// What must become of the two streams.
#[derive(Clone, Copy, Debug)]
pub struct StreamExpectation {
    /// Whether benign requests may be lost.
    pub lost: Located<LossExpectation>,
    /// Whether attacks may be leaked.
    pub leaked: Located<LeakedExpectation>,
}

/// Whether benign requests may be lost.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum LossExpectation {
    /// Any number may be; how many is reported.
    Allowed,
    /// None may be.
    None,
    /// At least one must be: the control that shows that losses are seen.
    Some,
}

/// Whether attacks may be leaked.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum LeakedExpectation {
    /// None may be.
    None,
    /// At least one must be: the control that shows that leaks are seen, and what a failure mode costs.
    Some,
}
