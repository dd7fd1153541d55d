//! The rules of the static check of a deployment.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the static check of a deployment can report.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LintRule {
    /// The proxy passes no bodies to the agent.
    BodiesNotInspected,
    /// Response data lacks the headers by which the agent matches it to a request.
    CorrelationHeadersNotLogged,
    /// The grace period is used up by a preStop hook.
    GracePeriodWithinPreStop,
    /// A probe asks the pod's address for a port that the agent binds on its loopback address.
    ProbeOutOfReach,
    /// The agent's root is read-only and nothing writable is mounted where it writes.
    ReadOnlyRootWithoutVolume,
    /// The agent expects response data that the proxy never sends.
    ResponseDataNeverSent,
    /// The proxy sends response data that the agent does not expect.
    ResponseDataNotExpected,
}

impl LintRule {
    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodiesNotInspected => "bodies-not-inspected",
            Self::CorrelationHeadersNotLogged => "correlation-headers-not-logged",
            Self::GracePeriodWithinPreStop => "grace-period-within-pre-stop",
            Self::ProbeOutOfReach => "probe-out-of-reach",
            Self::ReadOnlyRootWithoutVolume => "read-only-root-without-volume",
            Self::ResponseDataNeverSent => "response-data-never-sent",
            Self::ResponseDataNotExpected => "response-data-not-expected",
        }
    }
}

impl fmt::Display for LintRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
