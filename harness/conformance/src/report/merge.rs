//! Makes one record of those of several runs which had a part of the scenarios each.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::decisions;
use super::record::{RunRecord, Totals};
use crate::run::exit_code::{self, Ending};
use harness_core::model::digest::sha256;

/// Why records cannot be merged: the whole would be a verdict on nothing that ever ran.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge.
    #[error("there is no report to merge")]
    Nothing,
    /// Two runs judged different things.
    #[error("{first} and {other} did not judge the same {what}")]
    Different {
        /// One run.
        first: String,
        /// The other.
        other: String,
        /// What differs.
        what: String,
    },
    /// Two runs have the same scenario.
    #[error("both {first} and {other} have run {scenario}")]
    Twice {
        /// One run.
        first: String,
        /// The other.
        other: String,
        /// The scenario.
        scenario: String,
    },
}

/// A run that had a part of the scenarios.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its folder, by an absolute path.
    pub folder: Utf8PathBuf,
    /// Its record.
    pub record: RunRecord,
    /// Its decision record, the text of `decisions.tsv`.
    pub decisions: String,
}

/// Merges parts into a record and a decision record. The first gives the name, and what all of them must have in common; evidence stays where each
/// run has left it.
///
/// # Errors
///
/// When there is none, when subjects or environments differ, and when a scenario was run twice.
pub fn merge(parts: Vec<Part>) -> Result<(RunRecord, String), MergeError> {
    let decisions = decisions::merge(parts.iter().map(|part| part.decisions.as_str()));
    let mut records = parts.into_iter().map(with_absolute_evidence);
    let mut whole = records.next().ok_or(MergeError::Nothing)?;
    let mut codes = vec![whole.exit_code];
    for record in records {
        refuse_difference(&whole, &record)?;
        let known: BTreeSet<&str> = whole
            .scenarios
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        if let Some(twice) = record
            .scenarios
            .iter()
            .find(|one| known.contains(one.name.as_str()))
        {
            return Err(MergeError::Twice {
                first: whole.run.to_string(),
                other: record.run.to_string(),
                scenario: twice.name.to_string(),
            });
        }
        codes.push(record.exit_code);
        whole.started_at = whole.started_at.min(record.started_at);
        whole.finished_at = whole.finished_at.max(record.finished_at);
        whole.scenarios.extend(record.scenarios);
        whole.findings.extend(record.findings);
        for (role, used) in record.environment.images {
            match whole.environment.images.get_mut(&role) {
                Some(known) => {
                    for (digest, pods) in used.digests {
                        *known.digests.entry(digest).or_default() += pods;
                    }
                }
                None => {
                    whole.environment.images.insert(role, used);
                }
            }
        }
    }
    whole
        .scenarios
        .sort_by(|left, right| left.name.cmp(&right.name));
    whole.totals = Totals::of(&whole.scenarios);
    whole.decisions_sha256 = sha256(decisions.as_bytes());
    let of_scenarios = exit_code::of_run(&whole, Ending::Complete);
    // A part of which nothing could be run here takes nothing from what the others show.
    codes.retain(|code| *code != exit_code::NOTHING_SELECTED);
    codes.push(of_scenarios);
    whole.exit_code = exit_code::worst(codes);
    Ok((whole, decisions))
}

fn with_absolute_evidence(part: Part) -> RunRecord {
    let Part {
        folder, mut record, ..
    } = part;
    for scenario in &mut record.scenarios {
        let evidence = scenario.evidence.take();
        scenario.evidence = evidence.map(|evidence| folder.join(evidence));
    }
    record
}

fn refuse_difference(first: &RunRecord, other: &RunRecord) -> Result<(), MergeError> {
    let subjects = ["agent", "application", "envoy", "harness"];
    let digest = |record: &RunRecord, role: &str| {
        record
            .subjects
            .get(role)
            .map(|identity| identity.sha256.clone())
    };
    let what = subjects
        .into_iter()
        .find(|role| digest(first, role) != digest(other, role))
        .or_else(|| (first.environment.name != other.environment.name).then_some("environment"))
        .or_else(|| {
            (first.options.agent_env != other.options.agent_env).then_some("agent settings")
        })
        .or_else(|| {
            let differ = first.options.agent_egress != other.options.agent_egress;
            differ.then_some("the agent's way out")
        })
        .or_else(|| {
            let images = |record: &RunRecord| {
                record
                    .options
                    .place
                    .as_ref()
                    .map(|place| place.images.clone())
            };
            (images(first) != images(other)).then_some("images")
        });
    match what {
        Some(what) => Err(MergeError::Different {
            first: first.run.to_string(),
            other: other.run.to_string(),
            what: what.into(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{failed, finding, identity, passed, record};
    use harness_core::model::finding_kind::FindingKind;

    fn part(record: RunRecord) -> Part {
        let name = record.scenarios[0].name.to_string();
        Part {
            folder: format!("/runs/{name}").into(),
            record,
            decisions: format!("head\n{name}\tcase\tallowed\n"),
        }
    }

    #[test]
    fn parts_are_one_run_whose_code_is_the_worst() {
        let wrong = finding(FindingKind::AccessLog, "a", "b");
        let mut one = record(vec![failed("a::one", vec![wrong])]);
        one.scenarios[0].evidence = Some("a/one".into());
        let parts = vec![part(record(vec![passed("a::two")])), part(one)];
        let (whole, decisions) = merge(parts).expect("they fit");
        let lines: Vec<&str> = decisions.lines().skip(1).collect();
        assert_eq!(lines, ["a::one\tcase\tallowed", "a::two\tcase\tallowed"]);
        let evidence = whole.scenarios[0].evidence.as_deref();
        assert_eq!(evidence, Some("/runs/a::one/a/one".into()));
        let names: Vec<&str> = whole
            .scenarios
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["a::one", "a::two"]);
        assert_eq!(
            (whole.totals.count("passed"), whole.totals.count("failed")),
            (1, 1)
        );
        assert_eq!(whole.exit_code, exit_code::FAILED);
    }

    #[test]
    fn parts_of_different_agents_are_no_run() {
        let mut other = record(vec![passed("a::two")]);
        let mut agent = identity("agent", None);
        agent.sha256 = "cd".repeat(32);
        other.subjects.insert("agent".into(), agent);
        let error = merge(vec![part(record(vec![passed("a::one")])), part(other)])
            .expect_err("they differ");
        assert!(
            error.to_string().ends_with("did not judge the same agent"),
            "{error}"
        );
    }

    #[test]
    fn a_scenario_counts_once() {
        let once = || part(record(vec![passed("a::one")]));
        let error = merge(vec![once(), once()]).expect_err("it was run twice");
        assert!(error.to_string().contains("a::one"), "{error}");
        assert!(matches!(merge(Vec::new()), Err(MergeError::Nothing)));
    }
}
