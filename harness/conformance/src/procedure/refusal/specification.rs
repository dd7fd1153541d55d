//! What a refusal is told, and the rules of the static check of a deployment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{
    CheckContext, Procedure, Repetition, Requirement, Weight, assertion_of_case,
};
use harness_core::model::case::Case;
use harness_core::model::complaints::Complaints;
use harness_core::model::lint_rule::LintRule;
use harness_core::model::located::{Located, Position};
use harness_core::model::timespan::TimeSpan;
use harness_core::model::validate_requests::check_some_cases;

/// `refusal`: a deployment that the agent must refuse loudly.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RefusalSpec {
    /// Texts that the agent's log must contain, every one.
    pub says: Vec<Located<String>>,
    /// The bound within which the agent must end; 5 s when not given.
    #[serde(default)]
    pub within: Option<Located<TimeSpan>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
    /// Requests that are sent again and again from the proxy's first moment until the agent has refused twice. The outcome must hold for
    /// each of them.
    pub cases: Vec<Case>,
}

impl Procedure for RefusalSpec {
    fn check(&self, context: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        check_some_cases(&self.cases, "refusal", context.section, complaints);
        if self.says.iter().all(|text| text.trim().is_empty()) {
            complaints.add(
                self.says
                    .first()
                    .map_or_else(Position::default, |text| text.position),
                "`refusal` does not say what the agent must complain of",
                "add to `says:` a text that its log must contain",
            );
        }
    }

    fn assertions(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.cases.iter().map(assertion_of_case).collect();
        lines.extend(
            self.says
                .iter()
                .map(|text| format!("the agent ends and says `{}`", **text)),
        );
        lines
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
