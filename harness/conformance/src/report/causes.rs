//! Groups what did not pass by its cause: the same finding in many scenarios is one thing to look at, and what explains others comes first.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::record::{RunRecord, ScenarioRecord};
use harness_core::model::datum::Datum;
use harness_core::model::finding::{Fault, Finding, ScenarioResult};
use harness_core::model::finding_kind::{FindingKind, Severity};

/// Kinds that explain others, what explains most first: what runs and how it is deployed comes before what it decides.
const EXPLAINS_OTHERS: [FindingKind; 13] = [
    FindingKind::AgentDoesNotRun,
    FindingKind::ImagePull,
    FindingKind::ImageDigest,
    FindingKind::ImageDrift,
    FindingKind::Lint,
    FindingKind::PodSecurity,
    FindingKind::AgentStart,
    FindingKind::OutOfMemory,
    FindingKind::AgentExited,
    FindingKind::AgentRestarted,
    FindingKind::StartupProbe,
    FindingKind::Readiness,
    FindingKind::NotEnforcing,
];

/// Findings that are the same but for where they were made.
#[derive(Clone, Debug)]
pub struct FindingGroup<'a> {
    /// The kind of all of them.
    pub kind: FindingKind,
    /// How much they matter.
    pub severity: Severity,
    /// What had to be seen.
    pub expected: &'a Datum,
    /// What was seen.
    pub observed: &'a Datum,
    /// Each finding with its scenario, by the scenario's name; a scenario stands here once for each of its findings.
    pub scenarios: Vec<(&'a ScenarioRecord, &'a Finding)>,
}

impl FindingGroup<'_> {
    /// Returns how many scenarios have it.
    pub fn number_of_scenarios(&self) -> usize {
        let names = self.scenarios.iter().map(|(scenario, _)| &scenario.name);
        names.collect::<BTreeSet<_>>().len()
    }
}

/// Scenarios that could not be judged for one cause.
#[derive(Clone, Debug)]
pub struct FaultGroup<'a> {
    /// The first line of the first cause: further lines quote logs, which differ.
    pub cause: &'a str,
    /// The scenarios, by name.
    pub scenarios: Vec<(&'a ScenarioRecord, &'a Fault)>,
}

/// Groups the findings of all scenarios, the most likely first cause first: kinds that explain others, then what most scenarios have, then
/// what matters most.
pub fn findings_by_cause(record: &RunRecord) -> Vec<FindingGroup<'_>> {
    let mut groups: Vec<FindingGroup<'_>> = Vec::new();
    for scenario in &record.scenarios {
        let ScenarioResult::Failed(findings) = &scenario.result else {
            continue;
        };
        for finding in findings {
            let known = groups.iter_mut().find(|group| {
                group.kind == finding.kind
                    && *group.expected == finding.expected
                    && *group.observed == finding.observed
            });
            match known {
                Some(group) => group.scenarios.push((scenario, finding)),
                None => groups.push(FindingGroup {
                    kind: finding.kind,
                    severity: finding.severity,
                    expected: &finding.expected,
                    observed: &finding.observed,
                    scenarios: vec![(scenario, finding)],
                }),
            }
        }
    }
    groups.sort_by_cached_key(|group| {
        (
            rank(group.kind),
            Reverse(group.number_of_scenarios()),
            Reverse(group.severity),
        )
    });
    groups
}

/// Groups the scenarios that could not be judged, those of the most frequent cause first.
pub fn faults_by_cause(record: &RunRecord) -> Vec<FaultGroup<'_>> {
    let mut groups: Vec<FaultGroup<'_>> = Vec::new();
    for scenario in &record.scenarios {
        let ScenarioResult::Errored(fault) = &scenario.result else {
            continue;
        };
        let first = fault.causes.first().map_or("", String::as_str);
        let cause = first.lines().next().unwrap_or_default();
        match groups.iter_mut().find(|group| group.cause == cause) {
            Some(group) => group.scenarios.push((scenario, fault)),
            None => groups.push(FaultGroup {
                cause,
                scenarios: vec![(scenario, fault)],
            }),
        }
    }
    groups.sort_by_key(|group| Reverse(group.scenarios.len()));
    groups
}

fn rank(kind: FindingKind) -> usize {
    EXPLAINS_OTHERS
        .iter()
        .position(|other| *other == kind)
        .unwrap_or(EXPLAINS_OTHERS.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{errored, failed, finding, passed, record};
    use harness_core::model::outcome::Outcome;

    #[test]
    fn the_same_finding_of_several_scenarios_is_one_group() {
        let missed = || {
            finding(
                FindingKind::Outcome,
                Outcome::BlockedByAgent,
                Outcome::Allowed,
            )
        };
        let lost = finding(FindingKind::Outcome, Outcome::BlockedByAgent, Outcome::Lost);
        let record = record(vec![
            passed("a::passed"),
            failed("a::one", vec![lost, missed(), missed()]),
            failed("b::two", vec![missed()]),
        ]);
        let groups = findings_by_cause(&record);
        let shown: Vec<(String, usize, usize)> = groups
            .iter()
            .map(|group| {
                let observed = group.observed.to_string();
                (observed, group.number_of_scenarios(), group.scenarios.len())
            })
            .collect();
        assert_eq!(shown, [("allowed".into(), 2, 3), ("lost".into(), 1, 1)]);
    }

    #[test]
    fn what_explains_others_comes_before_what_more_scenarios_have() {
        let missed = || {
            finding(
                FindingKind::Outcome,
                Outcome::BlockedByAgent,
                Outcome::Allowed,
            )
        };
        let record = record(vec![
            failed("a::one", vec![missed()]),
            failed("a::two", vec![missed()]),
            failed(
                "b::start",
                vec![finding(FindingKind::AgentStart, "it runs", "it does not")],
            ),
        ]);
        let kinds: Vec<FindingKind> = findings_by_cause(&record)
            .iter()
            .map(|group| group.kind)
            .collect();
        assert_eq!(kinds, [FindingKind::AgentStart, FindingKind::Outcome]);
    }

    #[test]
    fn of_the_same_number_the_worse_comes_first() {
        let record = record(vec![failed(
            "a::one",
            vec![
                finding(FindingKind::AccessLog, "a", "b"),
                finding(
                    FindingKind::Outcome,
                    Outcome::BlockedByAgent,
                    Outcome::Allowed,
                ),
            ],
        )]);
        assert_eq!(findings_by_cause(&record)[0].kind, FindingKind::Outcome);
    }

    #[test]
    fn errored_scenarios_are_grouped_by_the_first_line_of_their_first_cause() {
        let record = record(vec![
            errored("a::rare", &["the pod cannot be created"]),
            errored("b::one", &["it does not run; its last lines:\n10:00 one"]),
            errored("b::two", &["it does not run; its last lines:\n10:01 two"]),
        ]);
        let groups = faults_by_cause(&record);
        let shown: Vec<(&str, usize)> = groups
            .iter()
            .map(|group| (group.cause, group.scenarios.len()))
            .collect();
        assert_eq!(
            shown,
            [
                ("it does not run; its last lines:", 2),
                ("the pod cannot be created", 1)
            ]
        );
    }
}
