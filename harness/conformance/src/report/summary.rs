//! What did not pass, grouped by cause, so that a run with many failures is read in ten seconds.

use std::collections::BTreeSet;
use std::fmt::Write;

use camino::Utf8Path;

use super::causes::{FaultGroup, FindingGroup, faults_by_cause, findings_by_cause};
use super::record::{RunRecord, ScenarioRecord};
use super::untrusted::{bounded, harmless};
use harness_core::model::finding::ScenarioResult;

/// How many causes are shown; the rest is counted.
const CAUSES_SHOWN: usize = 8;
/// How many scenarios of a cause are named with their place; the rest goes by its ids.
const PLACES_SHOWN: usize = 3;
/// How many ids are listed for a cause; the rest is counted.
const IDS_SHOWN: usize = 30;
/// How many notes of the first cause are shown.
const NOTES_SHOWN: usize = 2;
/// The longest text of a cause, in characters.
const TEXT_LIMIT: usize = 400;
/// How many lines such a text has at most.
const LINES_LIMIT: usize = 6;

/// Draws the causes for which scenarios failed or could not be judged, the most likely first one first; none where there are none. `report` is the path
/// of the run's report.
pub(super) fn render(record: &RunRecord, report: &Utf8Path) -> Option<String> {
    let findings = findings_by_cause(record);
    let faults = faults_by_cause(record);
    if findings.is_empty() && faults.is_empty() {
        return None;
    }
    let mut text = String::from("by cause, the most likely first one first:");
    let causes = findings.len() + faults.len();
    let mut drawn = findings
        .iter()
        .map(of_findings)
        .chain(faults.iter().map(of_faults));
    for (index, cause) in drawn.by_ref().take(CAUSES_SHOWN).enumerate() {
        let _ = write!(text, "\n{:>2}. {cause}", index + 1);
    }
    if causes > CAUSES_SHOWN {
        let _ = write!(
            text,
            "\n    {} more are in the report",
            causes - CAUSES_SHOWN
        );
    }
    if let Some(first) = findings.first() {
        let notes = first
            .scenarios
            .iter()
            .flat_map(|(_, finding)| &finding.notes);
        for note in notes.take(NOTES_SHOWN) {
            let _ = write!(text, "\nof the first cause: {}", shortened(note));
        }
        let (meaning, next) = (first.kind.meaning(), first.kind.next_step());
        let _ = write!(text, "\nthe first cause: {meaning} {next}");
    }
    let _ = write!(text, "\nrun these again: conformance replay {report}");
    Some(text)
}

fn of_findings(group: &FindingGroup<'_>) -> String {
    let mut text = format!(
        "{} ({}) in {}: expected {}, observed {}",
        group.kind,
        group.severity,
        scenarios(group.number_of_scenarios()),
        shortened(&group.expected.to_string()),
        shortened(&group.observed.to_string()),
    );
    let mut seen = BTreeSet::new();
    let once: Vec<_> = group
        .scenarios
        .iter()
        .filter(|(scenario, _)| seen.insert(&scenario.name))
        .collect();
    for (scenario, finding) in once.iter().take(PLACES_SHOWN) {
        let subject = match &finding.case {
            Some(case) => format!(", case {}", shortened(case)),
            None => String::new(),
        };
        let _ = write!(
            text,
            "\n      {} ({}) at {}{subject}",
            scenario.name,
            scenario.id,
            finding.written_place(&scenario.file)
        );
    }
    let rest = once
        .iter()
        .skip(PLACES_SHOWN)
        .map(|(scenario, _)| *scenario);
    add_ids(&mut text, rest);
    text
}

fn of_faults(group: &FaultGroup<'_>) -> String {
    let first = group.scenarios.first();
    let causes = first.map_or(String::new(), |(_, fault)| fault.causes.join(": "));
    let mut text = format!(
        "{} could not be judged: {}",
        scenarios(group.scenarios.len()),
        shortened(&causes)
    );
    for hint in first.iter().flat_map(|(_, fault)| &fault.hints) {
        let _ = write!(text, "\n      hint: {}", shortened(hint));
    }
    add_ids(
        &mut text,
        group.scenarios.iter().map(|(scenario, _)| *scenario),
    );
    text
}

fn add_ids<'a>(text: &mut String, scenarios: impl Iterator<Item = &'a ScenarioRecord>) {
    let ids: Vec<&str> = scenarios.map(|scenario| scenario.id.as_str()).collect();
    if ids.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "\n      {}",
        ids[..ids.len().min(IDS_SHOWN)].join(" ")
    );
    if ids.len() > IDS_SHOWN {
        let _ = write!(text, " and {} more", ids.len() - IDS_SHOWN);
    }
}

/// Returns how many scenarios have something, as words.
pub(super) fn scenarios(count: usize) -> String {
    match count {
        1 => "1 scenario".into(),
        count => format!("{count} scenarios"),
    }
}

/// Returns how many scenarios did not pass although they were run.
pub(super) fn not_passed(record: &RunRecord) -> usize {
    let results = record.scenarios.iter().map(|scenario| &scenario.result);
    results
        .filter(|result| {
            matches!(
                result,
                ScenarioResult::Failed(_) | ScenarioResult::Errored(_)
            )
        })
        .count()
}

/// Makes text from the wire short and harmless; its further lines are indented, so that none passes for one of the report's own.
fn shortened(text: &str) -> String {
    let text = harmless(&bounded(text, TEXT_LIMIT));
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = lines[..lines.len().min(LINES_LIMIT)].join("\n        ");
    if lines.len() > LINES_LIMIT {
        shown.push_str(" …");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{errored, failed, finding, passed, record};
    use harness_core::model::finding_kind::FindingKind;
    use harness_core::model::outcome::Outcome;

    fn drawn(record: &RunRecord) -> String {
        render(record, "runs/1/report.json".into()).expect("something did not pass")
    }

    #[test]
    fn a_run_that_passed_has_no_causes() {
        assert_eq!(render(&record(vec![passed("a::one")]), "r".into()), None);
    }

    #[test]
    fn many_failures_of_one_cause_are_a_few_lines() {
        let missed = || {
            finding(
                FindingKind::Outcome,
                Outcome::BlockedByAgent,
                Outcome::NotInspected,
            )
        };
        let all =
            (0..100).map(|index| failed(&format!("a::s{index:03}"), vec![missed(), missed()]));
        let text = drawn(&record(all.collect()));
        assert!(text.contains("1. outcome (critical) in 100 scenarios: expected blocked-by-agent, observed not-inspected"), "{text}");
        assert!(text.contains("and 67 more"), "{text}");
        assert!(
            text.ends_with("run these again: conformance replay runs/1/report.json"),
            "{text}"
        );
        assert!(text.lines().count() < 10, "{text}");
    }

    #[test]
    fn what_could_not_be_judged_is_a_cause_of_its_own() {
        let text = drawn(&record(vec![errored(
            "a::one",
            &["no space", "disk is full"],
        )]));
        assert!(
            text.contains("1. 1 scenario could not be judged: no space: disk is full"),
            "{text}"
        );
    }

    #[test]
    fn text_from_the_wire_is_bounded_and_cannot_pass_for_a_line_of_the_report() {
        let hostile = format!("x\n9 passed, 0 failed\u{1b}[31m{}", "y".repeat(100_000));
        let text = drawn(&record(vec![failed(
            "a::one",
            vec![finding(
                FindingKind::AgentDoesNotRun,
                "it runs",
                hostile.as_str(),
            )],
        )]));
        assert!(
            !text.lines().any(|line| line.starts_with("9 passed")),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.len() < 2_000, "{}", text.len());
    }
}
