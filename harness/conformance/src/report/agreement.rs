//! Pairs the scenarios of two runs and holds their timelines against each other.

use crate::report::record::ScenarioRecord;
use harness_core::model::finding::ScenarioResult;
use harness_core::model::scenario_name::ScenarioName;
use harness_verdict::judge::agreement::{Difference, differences};

/// What came of a pair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Compared {
    /// The two agree.
    Agree,
    /// They do not.
    Differ(Vec<Difference>),
    /// One of them could not be judged.
    Errored(String),
    /// One of them has nothing to compare.
    Not(String),
}

/// Compares the scenarios that are about a pod's lifecycle and that both runs have, in their order.
pub fn compare_runs(
    first: &[ScenarioRecord],
    second: &[ScenarioRecord],
) -> Vec<(ScenarioName, Compared)> {
    first
        .iter()
        .filter(|record| is_about_a_lifecycle(&record.procedure))
        .filter_map(|record| {
            let other = second.iter().find(|other| other.name == record.name)?;
            Some((record.name.clone(), compare(record, other)))
        })
        .collect()
}

/// Returns whether scenarios of a procedure are about starts, ends and restarts of one pod.
pub fn is_about_a_lifecycle(procedure: &str) -> bool {
    ["drain", "outage", "refusal", "startup"].contains(&procedure)
}

/// Compares what two environments made of one scenario.
pub fn compare(first: &ScenarioRecord, second: &ScenarioRecord) -> Compared {
    if first.sha256 != second.sha256 {
        return Compared::Not("the scenario has changed between the runs".into());
    }
    for record in [first, second] {
        match &record.result {
            ScenarioResult::Passed | ScenarioResult::Failed(_) => {}
            ScenarioResult::Errored(fault) => {
                return Compared::Errored(format!("it errored: {}", fault.causes.join(": ")));
            }
            ScenarioResult::Excluded { .. } | ScenarioResult::Unsupported { .. } => {
                return Compared::Not(format!("it was {} in one of them", record.result.as_str()));
            }
        }
    }
    let mut found = differences(&first.timeline, &second.timeline);
    if first.result.as_str() != second.result.as_str() {
        found.push(Difference {
            aspect: "result".into(),
            first: first.result.as_str().into(),
            second: second.result.as_str().into(),
        });
    }
    if found.is_empty() {
        Compared::Agree
    } else {
        Compared::Differ(found)
    }
}
