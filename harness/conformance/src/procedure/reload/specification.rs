//! What `reload` is told: the agent's rules change while requests go on.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{CheckContext, Procedure, Repetition, Requirement, Weight};
use harness_core::model::complaints::Complaints;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;
use harness_core::model::validate_requests::{check_rate, check_request};
use harness_verdict::judge::reload::ReloadMeans;

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

impl Procedure for ReloadSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_request(&self.attack, self.attack.target.position, complaints);
        check_request(&self.benign, self.benign.target.position, complaints);
        check_rate(&self.per_second, complaints);
        if self.steps.is_empty() {
            complaints.add(
                self.file.position,
                "`reload` changes nothing",
                "add to `steps:` what the file holds next",
            );
        }
        let mut before = *self.denied_with;
        for step in &self.steps {
            if step.by == ReloadMeans::Restart && *step.denied_with == before {
                complaints.add(
                    step.denied_with.position,
                    "nothing tells the rules after the restart from those before it",
                    "deny with another status than before",
                );
            }
            before = *step.denied_with;
            if step.says.trim().is_empty() {
                complaints.add(
                    step.says.position,
                    "the step has no sign by which it is known to be over",
                    "write in `says:` what the agent's log says then",
                );
            }
        }
    }

    fn assertions(&self) -> Vec<String> {
        self.steps
            .iter()
            .map(|step| {
                format!(
                    "after {} attacks are denied with {}, and none passes meanwhile",
                    *step.name, *step.denied_with
                )
            })
            .collect()
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn weight(&self) -> Weight {
        Weight::Short
    }

    fn repetition(&self) -> Repetition {
        Repetition::MatterOfTime
    }
}
