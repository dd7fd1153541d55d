//! What a run with a mutant proves: which scenarios killed it, which should have, and which could not run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::matrix::{Kill, Mutant};
use harness_core::model::datum::Datum;
use harness_core::model::finding::{Finding, ScenarioResult};

/// What came of one mutant.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MutantVerdict {
    /// The scenarios that are named for it and failed as they must.
    pub killed_by: Vec<String>,
    /// The scenarios that are named for it and did not.
    pub escapes: Vec<Escape>,
    /// The scenarios that are named for it and need what the environment has not.
    pub not_here: Vec<String>,
    /// Scenarios that failed, or came to no end, and are not named for it.
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
    /// It failed, and has not the finding that it must have.
    OtherReason {
        /// The finding that it must have.
        wanted: String,
        /// The first finding that it has.
        found: String,
    },
}

/// Whether a mutant was noticed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MutantStatus {
    /// Every scenario that is named for it failed as it must.
    Killed,
    /// A scenario failed, and not all of those that had to, or not with the finding that they must have.
    KilledByAnother,
    /// No scenario failed.
    Survived,
    /// A scenario that is named for it came to no end, and no other let it pass: nothing is known of it.
    NotProven,
    /// Every scenario that is named for it needs what the environment has not.
    NotHere,
}

impl MutantVerdict {
    /// Says whether the mutant was noticed.
    pub fn status(&self) -> MutantStatus {
        let was_let_pass = self
            .escapes
            .iter()
            .any(|escape| !matches!(escape.how, HowEscaped::NotRun { .. }));
        let a_scenario_failed = !self.killed_by.is_empty()
            || !self.also_by.is_empty()
            || self
                .escapes
                .iter()
                .any(|escape| matches!(escape.how, HowEscaped::OtherReason { .. }));
        match (was_let_pass, a_scenario_failed) {
            (true, true) => MutantStatus::KilledByAnother,
            (true, false) => MutantStatus::Survived,
            (false, _) if !self.escapes.is_empty() => MutantStatus::NotProven,
            (false, _) if self.killed_by.is_empty() => MutantStatus::NotHere,
            (false, _) => MutantStatus::Killed,
        }
    }
}

/// Judges a run with a mutant by the results of its scenarios, by their ids.
pub fn judge(mutant: &Mutant, results: &BTreeMap<String, ScenarioResult>) -> MutantVerdict {
    let mut verdict = MutantVerdict::default();
    for kill in &mutant.kills {
        let scenario = kill.scenario.clone();
        match what_came_of(kill, results.get(&kill.scenario)) {
            Came::Killed => verdict.killed_by.push(scenario),
            Came::NotHere => verdict.not_here.push(scenario),
            Came::Escaped(how) => verdict.escapes.push(Escape { scenario, how }),
        }
    }
    for (id, result) in results {
        let named = mutant.kills.iter().any(|kill| kill.scenario == *id);
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
pub fn not_run(mutant: &Mutant, why: &[String]) -> MutantVerdict {
    let escapes = mutant.kills.iter().map(|kill| Escape {
        scenario: kill.scenario.clone(),
        how: HowEscaped::NotRun { why: why.to_vec() },
    });
    MutantVerdict {
        escapes: escapes.collect(),
        ..MutantVerdict::default()
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
    if findings.iter().any(|finding| is_met(kill, finding)) {
        return Came::Killed;
    }
    Came::Escaped(HowEscaped::OtherReason {
        wanted: kill.to_string(),
        found: findings
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
    })
}

/// Says whether a finding is the one that a kill asks for.
fn is_met(kill: &Kill, finding: &Finding) -> bool {
    let Kill {
        scenario: _,
        case,
        kind,
        expected,
        observed,
    } = kill;
    *kind == finding.kind
        && case
            .as_ref()
            .is_none_or(|case| finding.case.as_ref() == Some(case))
        && is_datum(expected.as_deref(), &finding.expected)
        && is_datum(observed.as_deref(), &finding.observed)
}

/// Says whether a finding's datum is the one that is asked for, where one is: mutant files write data as reports show them.
fn is_datum(wanted: Option<&str>, found: &Datum) -> bool {
    wanted.is_none_or(|wanted| wanted == found.to_string())
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
