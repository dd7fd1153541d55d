//! What `reload` is told: the agent's rules change while requests go on.

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::procedure::LintRule;
use super::request::RequestSpec;
use super::timespan::TimeSpan;

/// `reload`: the source of the agent's rules changes while attacks and benign requests go on, and none may be left undecided or be decided
/// by rules that no longer hold.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReloadSpec {
    /// The attack of the stream.
    pub attack: RequestSpec,
    /// The benign request of the stream.
    pub benign: RequestSpec,
    /// Requests per second of each, open loop.
    pub per_second: Located<f64>,
    /// The file in the agent's container that the rules come from.
    pub file: Located<String>,
    /// The status with which attacks are denied before the first step.
    pub denied_with: Located<u16>,
    /// The faults that the static check of the deployment must find.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
    /// What happens to the file, in order.
    pub steps: Vec<ReloadStep>,
}

/// One change of the rules' source, after which the agent reads it again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReloadStep {
    /// A name for the report.
    pub name: Located<String>,
    /// What the file holds from now on; the file is gone when not given.
    #[serde(default)]
    pub content: Option<String>,
    /// How the agent is made to read it.
    #[serde(default)]
    pub by: ReloadMeans,
    /// A text that the agent's log must contain once more than before: the agent has read the file, or has failed to.
    pub says: Located<String>,
    /// The bound within which it must say so.
    pub within: Located<TimeSpan>,
    /// The status with which attacks are denied from then on.
    pub denied_with: Located<u16>,
}

/// How the agent is made to read the file again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadMeans {
    /// Its process is killed and started again: the proxy fails closed until it is back.
    Restart,
    /// It is told, by a signal.
    #[default]
    Signal,
}
