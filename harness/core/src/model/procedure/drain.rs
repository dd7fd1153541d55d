//! What a drain is told: what goes on while the pod is deleted, and how its containers end.

use schemars::JsonSchema;
use serde::Deserialize;

use super::case::Case;
use super::refusal::LintRule;
use crate::model::kept_clients::KeptClients;
use crate::model::located::Located;
use crate::model::outcome::Outcome;
use crate::model::request::RequestSpec;
use crate::model::timespan::TimeSpan;

/// `drain`: the pod is deleted while requests go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainSpec {
    /// A benign request and an attack that are sent in turn, from before the deletion until the proxy has its TERM.
    #[serde(default)]
    pub stream: Option<DrainStream>,
    /// Requests that are under way when the deletion is asked for. Each must complete.
    #[serde(default)]
    pub in_flight: Vec<Case>,
    /// Clients of the pod's Service that keep their connections, until the proxy has ended.
    #[serde(default)]
    pub kept: Option<Located<KeptClients>>,
    /// What the timeline must show, per container.
    pub containers: Vec<ContainerEnd>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// The streams of a drain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainStream {
    /// The benign request.
    pub benign: RequestSpec,
    /// The attack.
    pub attack: RequestSpec,
    /// Requests per second of each, open loop.
    pub per_second: Located<f64>,
    /// The outcome of requests that are sent once the agent has ended before the proxy; at least one must be. Not given where the agent
    /// must outlive the proxy.
    #[serde(default)]
    pub without_agent: Option<Located<Outcome>>,
}

/// How a container must end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerEnd {
    /// The container.
    pub name: Located<String>,
    /// What becomes of its preStop hook.
    pub pre_stop: Located<PreStopEnd>,
    /// Exit codes of which one must be seen (a signal counts 128 + its number).
    pub exit_codes: Located<Vec<i32>>,
    /// A container that must have ended before this one.
    #[serde(default)]
    pub outlives: Option<Located<String>>,
    /// The time between TERM and KILL that the container must have been given.
    #[serde(default)]
    pub kill_after: Option<Located<TimeSpan>>,
}

/// What becomes of a preStop hook.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PreStopEnd {
    /// There is none.
    Absent,
    /// It cannot run or fails: Kubernetes' `FailedPreStopHook`.
    Fails,
    /// It ends by itself before TERM.
    Finishes,
    /// It uses up the grace period.
    Overruns,
}
