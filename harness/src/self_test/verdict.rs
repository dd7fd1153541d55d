//! What a run with a mutant proves: who killed it, who should have, and who was not there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matrix::{Kill, Mutant};
use crate::model::finding::{Finding, ScenarioResult};

/// What came of one mutant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// The scenarios that are named for it and failed as they must.
    pub killed_by: Vec<String>,
    /// The scenarios that are named for it and did not.
    pub escapes: Vec<Escape>,
    /// Scenarios that failed though nobody named them.
    pub also_by: Vec<String>,
}

/// A scenario that was to fail for a mutant and did not, or not for the reason that it must.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Escape {
    /// The scenario's id.
    pub scenario: String,
    /// How the mutant got past it.
    pub how: HowEscaped,
}

/// How a mutant got past a scenario.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HowEscaped {
    /// The project has no such scenario.
    NoSuchScenario,
    /// It ended otherwise than failed: the word of its result, and why where that is known.
    NotFailed {
        /// `passed`, `errored`, `unsupported`, `excluded`.
        result: String,
        /// The causes of an error.
        why: Vec<String>,
    },
    /// It failed, and no finding says what it must.
    OtherReason {
        /// What a finding had to say.
        wanted: String,
        /// What the first finding says.
        said: String,
    },
}

/// Whether a mutant was noticed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Every scenario that is named for it failed as it must.
    Killed,
    /// A scenario failed, and not all of those that had to, or not for the reason that they must.
    KilledByAnother,
    /// No scenario failed.
    Survived,
}

impl Verdict {
    /// Says whether the mutant was noticed.
    pub fn fate(&self) -> Fate {
        let somebody_failed = !self.killed_by.is_empty()
            || !self.also_by.is_empty()
            || self
                .escapes
                .iter()
                .any(|escape| matches!(escape.how, HowEscaped::OtherReason { .. }));
        match (self.escapes.is_empty(), somebody_failed) {
            (true, _) => Fate::Killed,
            (false, true) => Fate::KilledByAnother,
            (false, false) => Fate::Survived,
        }
    }
}

/// Judges a run with a mutant by the results of its scenarios, by their ids.
pub fn judge(mutant: &Mutant, results: &BTreeMap<String, ScenarioResult>) -> Verdict {
    let mut verdict = Verdict {
        killed_by: Vec::new(),
        escapes: Vec::new(),
        also_by: Vec::new(),
    };
    for kill in mutant.kills {
        match how_escaped(kill, results.get(kill.scenario)) {
            None => verdict.killed_by.push(kill.scenario.into()),
            Some(how) => verdict.escapes.push(Escape {
                scenario: kill.scenario.into(),
                how,
            }),
        }
    }
    for (id, result) in results {
        let named = mutant.kills.iter().any(|kill| kill.scenario == id);
        if !named && matches!(result, ScenarioResult::Failed(_)) {
            verdict.also_by.push(id.clone());
        }
    }
    verdict
}

fn how_escaped(kill: &Kill, result: Option<&ScenarioResult>) -> Option<HowEscaped> {
    let Some(result) = result else {
        return Some(HowEscaped::NoSuchScenario);
    };
    let why = match result {
        ScenarioResult::Failed(findings) => {
            let said: Vec<String> = findings.iter().map(words_of).collect();
            if said.iter().any(|words| words.contains(kill.says)) {
                return None;
            }
            return Some(HowEscaped::OtherReason {
                wanted: kill.says.into(),
                said: said.into_iter().next().unwrap_or_default(),
            });
        }
        ScenarioResult::Errored(fault) => fault.causes.clone(),
        ScenarioResult::Passed
        | ScenarioResult::Unsupported { .. }
        | ScenarioResult::Excluded { .. } => Vec::new(),
    };
    Some(HowEscaped::NotFailed {
        result: result.word().into(),
        why,
    })
}

/// Returns what a finding says, without its place in the file.
fn words_of(finding: &Finding) -> String {
    let subject = finding
        .case
        .as_ref()
        .map(|case| format!("{case}: "))
        .unwrap_or_default();
    let mut words = format!(
        "{subject}{}: expected {}, observed {}",
        finding.expectation, finding.expected, finding.observed
    );
    for note in &finding.notes {
        words.push('\n');
        words.push_str(note);
    }
    words
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::matrix::{Wrong, by};
    use super::*;
    use crate::model::finding::Fault;
    use crate::model::located::Position;

    const MUTANT: Mutant = Mutant {
        name: "m",
        wrong: Wrong::Agent,
        kills: &[by("A02-sqli", "expected blocked-by-agent")],
    };

    fn failed(observed: &str) -> ScenarioResult {
        ScenarioResult::Failed(vec![Finding::new(
            "outcome",
            Position::default(),
            "blocked-by-agent",
            observed,
        )])
    }

    fn other_failure() -> ScenarioResult {
        ScenarioResult::Failed(vec![Finding::new("books", Position::default(), "4", "3")])
    }

    fn errored() -> ScenarioResult {
        ScenarioResult::Errored(Fault {
            causes: vec!["no pod".into()],
            hints: Vec::new(),
        })
    }

    fn fate(results: impl IntoIterator<Item = (&'static str, ScenarioResult)>) -> Fate {
        let results = results
            .into_iter()
            .map(|(id, result)| (id.to_owned(), result))
            .collect();
        judge(&MUTANT, &results).fate()
    }

    #[rstest]
    #[case::as_it_must(failed("allowed"), Fate::Killed)]
    #[case::for_another_reason(other_failure(), Fate::KilledByAnother)]
    #[case::not_at_all(ScenarioResult::Passed, Fate::Survived)]
    #[case::by_an_error_of_the_environment(errored(), Fate::Survived)]
    fn only_the_named_reason_kills(#[case] result: ScenarioResult, #[case] expected: Fate) {
        assert_eq!(fate([("A02-sqli", result)]), expected);
    }

    #[test]
    fn a_scenario_that_is_gone_lets_its_mutants_escape() {
        assert_eq!(fate([("A01", ScenarioResult::Passed)]), Fate::Survived);
        let verdict = judge(&MUTANT, &BTreeMap::new());
        assert_eq!(verdict.escapes[0].how, HowEscaped::NoSuchScenario);
    }

    #[test]
    fn another_scenario_that_fails_is_no_substitute() {
        let results = [
            ("A02-sqli", ScenarioResult::Passed),
            ("L01", other_failure()),
        ];
        assert_eq!(fate(results), Fate::KilledByAnother);
    }
}
