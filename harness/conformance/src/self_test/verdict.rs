//! What a run with a mutant proves: who killed it, who should have, and who was not there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matrix::{Kill, Mutant};
use harness_core::model::finding::{Finding, ScenarioResult};

/// What came of one mutant.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// The scenarios that are named for it and failed as they must.
    pub killed_by: Vec<String>,
    /// The scenarios that are named for it and did not.
    pub escapes: Vec<Escape>,
    /// The scenarios that are named for it and need what the environment has not.
    pub not_here: Vec<String>,
    /// Scenarios that failed, or came to no end, though nobody named them.
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
    /// It passed.
    Passed,
    /// It came to no end, so nothing was tested.
    NotRun {
        /// The causes.
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
    /// A scenario that is named for it came to no end, and no other let it pass: nothing is known of it.
    NotProven,
    /// Every scenario that is named for it needs what the environment has not.
    NotHere,
}

impl Verdict {
    /// Says whether the mutant was noticed.
    pub fn fate(&self) -> Fate {
        let was_let_pass = self
            .escapes
            .iter()
            .any(|escape| !matches!(escape.how, HowEscaped::NotRun { .. }));
        let somebody_failed = !self.killed_by.is_empty()
            || !self.also_by.is_empty()
            || self
                .escapes
                .iter()
                .any(|escape| matches!(escape.how, HowEscaped::OtherReason { .. }));
        match (was_let_pass, somebody_failed) {
            (true, true) => Fate::KilledByAnother,
            (true, false) => Fate::Survived,
            (false, _) if !self.escapes.is_empty() => Fate::NotProven,
            (false, _) if self.killed_by.is_empty() => Fate::NotHere,
            (false, _) => Fate::Killed,
        }
    }
}

/// Judges a run with a mutant by the results of its scenarios, by their ids.
pub fn judge(mutant: &Mutant, results: &BTreeMap<String, ScenarioResult>) -> Verdict {
    let mut verdict = Verdict::default();
    for kill in mutant.kills {
        let scenario = kill.scenario.to_owned();
        match what_came_of(kill, results.get(kill.scenario)) {
            Came::Killed => verdict.killed_by.push(scenario),
            Came::NotHere => verdict.not_here.push(scenario),
            Came::Escaped(how) => verdict.escapes.push(Escape { scenario, how }),
        }
    }
    for (id, result) in results {
        let named = mutant.kills.iter().any(|kill| kill.scenario == id);
        match result {
            ScenarioResult::Failed(_) if !named => verdict.also_by.push(id.clone()),
            ScenarioResult::Errored(_) if !named => verdict.also_by.push(format!("{id}, errored")),
            ScenarioResult::Failed(_)
            | ScenarioResult::Errored(_)
            | ScenarioResult::Passed
            | ScenarioResult::Unsupported { .. }
            | ScenarioResult::Excluded { .. } => {}
        }
    }
    verdict
}

/// Makes the verdict on a mutant whose run could not begin.
pub fn not_run(mutant: &Mutant, why: &[String]) -> Verdict {
    let escapes = mutant.kills.iter().map(|kill| Escape {
        scenario: kill.scenario.into(),
        how: HowEscaped::NotRun { why: why.to_vec() },
    });
    Verdict {
        escapes: escapes.collect(),
        ..Verdict::default()
    }
}

/// What came of one scenario that is named for a mutant.
enum Came {
    Killed,
    NotHere,
    Escaped(HowEscaped),
}

fn what_came_of(kill: &Kill, result: Option<&ScenarioResult>) -> Came {
    let findings = match result {
        None => return Came::Escaped(HowEscaped::NoSuchScenario),
        Some(ScenarioResult::Failed(findings)) => findings,
        Some(ScenarioResult::Passed) => return Came::Escaped(HowEscaped::Passed),
        Some(ScenarioResult::Errored(fault)) => {
            let why = fault.causes.clone();
            return Came::Escaped(HowEscaped::NotRun { why });
        }
        Some(ScenarioResult::Unsupported { .. } | ScenarioResult::Excluded { .. }) => {
            return Came::NotHere;
        }
    };
    let said: Vec<String> = findings.iter().map(words_of).collect();
    if said.iter().any(|words| words.contains(kill.says)) {
        return Came::Killed;
    }
    Came::Escaped(HowEscaped::OtherReason {
        wanted: kill.says.into(),
        said: said.into_iter().next().unwrap_or_default(),
    })
}

/// Returns what a finding says, without its place in the file.
pub(super) fn words_of(finding: &Finding) -> String {
    let subject = finding
        .case
        .as_ref()
        .map(|case| format!("{case}: "))
        .unwrap_or_default();
    let mut words = format!(
        "{subject}{}: expected {}, observed {}",
        finding.kind, finding.expected, finding.observed
    );
    for note in &finding.notes {
        words.push('\n');
        words.push_str(note);
    }
    words
}

#[cfg(test)]
mod tests {
    use harness_core::model::finding_kind::FindingKind;
    use rstest::rstest;

    use super::super::matrix::{Wrong, by};
    use super::*;
    use harness_core::model::finding::Fault;
    use harness_core::model::located::Position;

    const MUTANT: Mutant = Mutant {
        name: "m",
        wrong: Wrong::Agent,
        kills: &[by("A02-sqli", "expected blocked-by-agent")],
    };

    fn failed(observed: &str) -> ScenarioResult {
        ScenarioResult::Failed(vec![Finding::new(
            FindingKind::Outcome,
            Position::default(),
            "blocked-by-agent",
            observed,
        )])
    }

    fn other_failure() -> ScenarioResult {
        ScenarioResult::Failed(vec![Finding::new(
            FindingKind::Reconciliation,
            Position::default(),
            "4",
            "3",
        )])
    }

    fn errored() -> ScenarioResult {
        ScenarioResult::Errored(Fault {
            causes: vec!["no pod".into()],
            hints: Vec::new(),
        })
    }

    fn unsupported() -> ScenarioResult {
        ScenarioResult::Unsupported {
            missing: Vec::new(),
            reasons: BTreeMap::new(),
        }
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
    #[case::by_an_error_of_the_environment(errored(), Fate::NotProven)]
    #[case::not_here(unsupported(), Fate::NotHere)]
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
    fn what_another_environment_has_to_show_does_not_undo_what_was_seen_here() {
        const BOTH: Mutant = Mutant {
            name: "m",
            wrong: Wrong::Agent,
            kills: &[by("A01", "observed allowed"), by("R11", "observed allowed")],
        };
        let results = BTreeMap::from([
            ("A01".to_owned(), failed("allowed")),
            ("R11".to_owned(), unsupported()),
        ]);
        let verdict = judge(&BOTH, &results);
        assert_eq!(verdict.fate(), Fate::Killed);
        assert_eq!(verdict.not_here, ["R11"]);
    }

    #[test]
    fn a_run_that_could_not_begin_proves_nothing() {
        let verdict = not_run(&MUTANT, &["no disk".into()]);
        assert_eq!(verdict.fate(), Fate::NotProven);
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
