//! What an outage is told: what is done to the agent, and what becomes of requests meanwhile.

use schemars::JsonSchema;
use serde::Deserialize;

use super::refusal::LintRule;
use crate::model::located::Located;
use crate::model::outcome::Outcome;
use crate::model::request::RequestSpec;
use crate::model::timespan::TimeSpan;

/// `outage`: the agent is disturbed while requests go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutageSpec {
    /// What is done to the agent.
    pub fault: Located<Fault>,
    /// The benign request of the stream.
    pub benign: RequestSpec,
    /// The attack of the stream.
    pub attack: RequestSpec,
    /// The outcome of both while the agent cannot answer.
    pub during: Located<Outcome>,
    /// The least time for which the proxy must have waited for the agent (its time-out).
    #[serde(default)]
    pub waits_at_least: Option<Located<TimeSpan>>,
    /// The request by which the agent takes more memory than it may have; only for `exhaust-memory`.
    #[serde(default)]
    pub trigger: Option<Located<RequestSpec>>,
    /// How many requests the proxy lets wait for the agent at the same time; only for `overload`.
    #[serde(default)]
    pub admits: Option<Located<u32>>,
    /// The bound within which every request must be answered.
    #[serde(default)]
    pub answers_within: Option<Located<TimeSpan>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// What is done to the agent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It takes more memory than its limit, and the kernel ends it.
    ExhaustMemory,
    /// It is killed under load and restarted by its restart policy.
    Kill,
    /// It is stopped with as many requests in its hands as the proxy lets wait for it. Those that come then are the excess.
    Overload,
    /// It is stopped (it holds its connections and answers nothing), then goes on.
    Pause,
}
