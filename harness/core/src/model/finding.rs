//! Findings and results: what a scenario ended with.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::datum::Datum;
use super::feature::Feature;
use super::finding_kind::{FindingKind, Severity};
use super::identity::RequestId;
use super::located::Position;

/// One expectation that was not met.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What kind of expectation was not met.
    pub kind: FindingKind,
    /// How much it matters, by its kind.
    pub severity: Severity,
    /// Where the scenario file asks for it; line 0 where it is implied.
    pub position: Position,
    /// What had to be seen.
    pub expected: Datum,
    /// What was seen.
    pub observed: Datum,
    /// The case within the scenario.
    pub case: Option<String>,
    /// The request.
    pub request: Option<RequestId>,
    /// Where the request is written, when a file of payloads or seeds has it and not the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<SourcePlace>,
    /// What explains it: further facts, each a line.
    pub notes: Vec<String>,
}

/// A place in a file other than the scenario's.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourcePlace {
    /// The file, by its path in the project.
    #[schemars(with = "String")]
    pub file: Utf8PathBuf,
    /// The place in it.
    pub position: Position,
}

impl Finding {
    /// Makes a finding about the scenario as a whole.
    pub fn new(
        kind: FindingKind,
        position: Position,
        expected: impl Into<Datum>,
        observed: impl Into<Datum>,
    ) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            position,
            expected: expected.into(),
            observed: observed.into(),
            case: None,
            request: None,
            written: None,
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

    /// Says where the request is written, when that is not in the scenario's file.
    #[must_use]
    pub fn written_at(self, written: Option<SourcePlace>) -> Self {
        Self { written, ..self }
    }

    /// Returns the file and the line to look at first: those of the request, else what the scenario asks for. Line 0 is none.
    pub fn place<'a>(&'a self, scenario_file: &'a Utf8Path) -> (&'a Utf8Path, u64) {
        match &self.written {
            Some(written) => (&written.file, written.position.line),
            None => (scenario_file, self.position.line),
        }
    }

    /// Writes that place as `file:line`, and as the file alone where no line asks for it.
    pub fn written_place(&self, scenario_file: &Utf8Path) -> String {
        match self.place(scenario_file) {
            (file, 0) => file.to_string(),
            (file, line) => format!("{file}:{line}"),
        }
    }

    /// Adds a fact that explains it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Returns it with every text in it changed, as by a redactor.
    #[must_use]
    pub fn map_texts(self, change: &impl Fn(&str) -> String) -> Self {
        Self {
            expected: self.expected.map_texts(change),
            observed: self.observed.map_texts(change),
            notes: self.notes.iter().map(|note| change(note)).collect(),
            ..self
        }
    }
}

/// A finding in one line, without its notes: the one place where kind and data become prose.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(case) = &self.case {
            write!(formatter, "{case}: ")?;
        }
        write!(
            formatter,
            "{}: expected {}, observed {}",
            self.kind, self.expected, self.observed
        )
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
        /// Why, as the environment states it, where it does.
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
    /// Returns the name as reports write it.
    pub const fn as_str(&self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Outcome;

    fn finding() -> Finding {
        Finding::new(
            FindingKind::Outcome,
            Position::default(),
            Outcome::BlockedByAgent,
            Outcome::Allowed,
        )
    }

    #[test]
    fn a_finding_is_one_line_with_its_case_kind_and_data() {
        assert_eq!(
            finding().to_string(),
            "outcome: expected blocked-by-agent, observed allowed"
        );
        let finding = finding().about("query-union", &RequestId::from_witness("x.a.0.r"));
        assert_eq!(
            finding.to_string(),
            "query-union: outcome: expected blocked-by-agent, observed allowed"
        );
    }

    #[test]
    fn the_place_to_look_at_is_that_of_the_request_and_no_line_is_not_line_zero() {
        let file = Utf8Path::new("scenarios/a.yaml");
        assert_eq!(finding().written_place(file), "scenarios/a.yaml");
        let mut asked = finding();
        asked.position.line = 7;
        assert_eq!(asked.written_place(file), "scenarios/a.yaml:7");
        let written = SourcePlace {
            file: "fixtures/payloads/xss.yaml".into(),
            position: Position {
                line: 3,
                ..Position::default()
            },
        };
        let asked = asked.written_at(Some(written));
        assert_eq!(asked.written_place(file), "fixtures/payloads/xss.yaml:3");
    }

    #[test]
    fn a_report_has_kind_severity_and_data_of_a_finding() {
        let written = serde_json::to_value(finding()).expect("JSON");
        assert_eq!(written["kind"], "outcome");
        assert_eq!(written["severity"], "critical");
        assert_eq!(written["observed"]["value"], "allowed");
        let read: Finding = serde_json::from_value(written).expect("what was written");
        assert_eq!(read, finding());
    }
}
