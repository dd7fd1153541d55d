//! Findings and results: what a scenario ended with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::finding_kind::FindingKind;
use super::identity::RequestId;
use super::located::Position;

/// One expectation that was not met.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What kind of expectation was not met.
    pub kind: FindingKind,
    /// Where the scenario file asks for it; line 0 where it is implied.
    pub position: Position,
    /// What had to be seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
    /// The case within the scenario.
    pub case: Option<String>,
    /// The request.
    pub request: Option<RequestId>,
    /// What explains it: further facts, each a line.
    pub notes: Vec<String>,
}

impl Finding {
    /// Makes a finding about the scenario as a whole.
    pub fn new(
        kind: FindingKind,
        position: Position,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            position,
            expected: expected.into(),
            observed: observed.into(),
            case: None,
            request: None,
            notes: Vec::new(),
        }
    }

    /// Says which request of which case the finding is about.
    #[must_use]
    pub fn about(mut self, case: &str, request: &RequestId) -> Self {
        self.case = Some(case.into());
        self.request = Some(request.clone());
        self
    }

    /// Adds a fact that explains it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// What a scenario ended with.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioResult {
    /// Everything that had to be seen was seen, by every mandatory witness.
    Passed,
    /// The system under test did something else.
    Failed(Vec<Finding>),
    /// The environment or the harness could not judge.
    Errored(Fault),
    /// The environment or the agent lacks something that the scenario needs.
    Unsupported {
        /// What is missing.
        missing: Vec<Feature>,
        /// Why, in the environment's own words, where it has any.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        reasons: BTreeMap<Feature, String>,
    },
    /// The user left it out.
    Excluded {
        /// Why.
        reason: String,
    },
}

/// Why a scenario could not be judged.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// The chain of causes, outermost first.
    pub causes: Vec<String>,
    /// What the user can do.
    pub hints: Vec<String>,
}

impl ScenarioResult {
    /// Returns the result as one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Errored(_) => "errored",
            Self::Unsupported { .. } => "unsupported",
            Self::Excluded { .. } => "excluded",
        }
    }
}

/// Returns the names of features that are missing, each with why where that is known.
pub fn describe_missing(missing: &[Feature], reasons: &BTreeMap<Feature, String>) -> String {
    let described: Vec<String> = missing
        .iter()
        .map(|feature| match reasons.get(feature) {
            Some(reason) => format!("{feature} ({reason})"),
            None => feature.to_string(),
        })
        .collect();
    described.join(", ")
}
