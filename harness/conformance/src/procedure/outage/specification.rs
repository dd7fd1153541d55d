//! What an outage is told: what is done to the agent, and what becomes of requests meanwhile.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{CheckContext, Procedure, Repetition, Requirement, Weight};
use harness_core::model::complaints::Complaints;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::outcome::Outcome;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;
use harness_core::model::validate_requests::check_request;
use harness_verdict::judge::outage::OutageExpectation;

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

impl OutageSpec {
    /// Returns what must become of requests while the agent is away.
    pub(super) const fn expectation(&self) -> OutageExpectation {
        OutageExpectation {
            during: self.during,
            waits_at_least: self.waits_at_least,
            answers_within: self.answers_within,
        }
    }
}

impl Procedure for OutageSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_request(&self.benign, self.benign.target.position, complaints);
        check_request(&self.attack, self.attack.target.position, complaints);
        match *self.during {
            Outcome::FailedClosed | Outcome::FailedOpen => {}
            other => complaints.add(
                self.during.position,
                format!("`{other}` cannot be the outcome while the agent is away"),
                "write failed-open or failed-closed",
            ),
        }
        check_admitted(self, complaints);
    }

    fn assertions(&self) -> Vec<String> {
        vec![
            match &self.admits {
                Some(admits) => format!(
                    "with {} requests in the agent's hands the others are {}",
                    **admits, *self.during
                ),
                None => format!("while the agent is away requests are {}", *self.during),
            },
            "afterwards attacks are blocked and benign requests pass".into(),
        ]
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn weight(&self) -> Weight {
        Weight::Middling
    }

    fn repetition(&self) -> Repetition {
        Repetition::MatterOfTime
    }
}

fn check_admitted(outage: &OutageSpec, complaints: &mut Complaints<'_>) {
    match (*outage.fault, &outage.admits) {
        (Fault::Overload, None) => complaints.add(
            outage.fault.position,
            "`overload` does not say how many requests the proxy admits",
            "write `admits:` with the `max_requests` of the agent's cluster",
        ),
        (Fault::Overload, Some(admits)) if !(1..=100).contains(&**admits) => complaints.add(
            admits.position,
            format!("{} requests cannot be held", **admits),
            "write a number from 1 to 100, as in `max_requests` of the agent's cluster",
        ),
        (Fault::ExhaustMemory | Fault::Kill | Fault::Pause, Some(admits)) => complaints.add(
            admits.position,
            "only `overload` fills the proxy's limit",
            "take `admits:` out",
        ),
        (Fault::Overload, Some(_)) | (Fault::ExhaustMemory | Fault::Kill | Fault::Pause, None) => {}
    }
    match (*outage.fault, &outage.trigger) {
        (Fault::ExhaustMemory, None) => complaints.add(
            outage.fault.position,
            "`exhaust-memory` does not say by which request the agent takes its memory",
            "write `trigger:` with a request; the reference stub takes memory for `x-stub-fault: allocate=256MiB`",
        ),
        (Fault::Kill | Fault::Overload | Fault::Pause, Some(trigger)) => complaints.add(
            trigger.position,
            "only `exhaust-memory` is triggered by a request",
            "take `trigger:` out",
        ),
        (Fault::ExhaustMemory, Some(trigger)) => {
            check_request(trigger, trigger.target.position, complaints);
        }
        (Fault::Kill | Fault::Overload | Fault::Pause, None) => {}
    }
}
