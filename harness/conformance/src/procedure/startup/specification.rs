//! What a start-up is told: what must be seen from the pod's first moment on.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{CheckContext, Procedure, Repetition, Requirement, Weight};
use harness_core::model::complaints::Complaints;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;
use harness_core::model::validate_requests::{check_rate, check_request};
use harness_verdict::judge::startup::{Entrance, LeakExpectation};

/// `startup`: attacks are sent to the pod's Service from the pod's first moment on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StartupSpec {
    /// The attack.
    pub attack: RequestSpec,
    /// The nearest benign request, which must pass once the rules apply.
    pub benign: RequestSpec,
    /// Attacks per second, open loop.
    pub per_second: Located<f64>,
    /// Where the attacks are sent.
    #[serde(default)]
    pub through: Entrance,
    /// Denials in a row that end the stream.
    pub until_denied: Located<u32>,
    /// Whether attacks may reach the application.
    pub leaks: Located<LeakExpectation>,
    /// What the startup probe must have seen.
    #[serde(default)]
    pub probe: Option<Located<ProbeExpectation>>,
    /// Whether the pod must become ready.
    #[serde(default)]
    pub readiness: ReadinessExpectation,
    /// The bound within which the pod must be ready, from the agent's start.
    #[serde(default)]
    pub ready_within: Option<Located<TimeSpan>>,
    /// Texts that the agent's log must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// Whether the pod must become ready.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReadinessExpectation {
    /// It must not: the startup probe fails until the agent is restarted, and nothing is served.
    Never,
    /// It must.
    #[default]
    Reached,
}

/// What the startup probe must have seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeExpectation {
    /// At least one failure, then success exactly once, and readiness only after it.
    FailsThenSucceedsOnce,
}

impl Procedure for StartupSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_request(&self.attack, self.attack.target.position, complaints);
        check_request(&self.benign, self.benign.target.position, complaints);
        check_rate(&self.per_second, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        vec![match (*self.leaks, self.readiness) {
            (_, ReadinessExpectation::Never) => "the pod is never ready and serves nothing".into(),
            (LeakExpectation::None, ReadinessExpectation::Reached) => {
                "no attack reaches the application before the rules apply".into()
            }
            (LeakExpectation::Some, ReadinessExpectation::Reached) => {
                "attacks reach the application before the rules apply, and are seen to".into()
            }
        }]
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn weight(&self) -> Weight {
        Weight::Long
    }

    fn repetition(&self) -> Repetition {
        Repetition::MatterOfTime
    }

    fn judges_start(&self) -> bool {
        true
    }
}
