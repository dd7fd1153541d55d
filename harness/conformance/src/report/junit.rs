//! `junit.xml`: one suite for each group. A failure is the agent's, an error is the environment's, and each suite says what was judged.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::record::{RunRecord, ScenarioRecord};
use super::subjects::judged;
use super::untrusted::{bounded, harmless};
use harness_core::model::datum::Datum;
use harness_core::model::finding::{Finding, ScenarioResult, describe_missing};

/// The longest message or property, in characters.
const LINE_LIMIT: usize = 4_000;
/// The longest description of a failure, in characters.
const DESCRIPTION_LIMIT: usize = 64_000;
/// How many findings of a case have properties and stand in its description.
const FINDINGS_SHOWN: usize = 50;
/// The suite of what is wrong with no scenario.
const RUN: &str = "run";

/// Makes the JUnit report. quick-junit escapes markup.
pub fn render(record: &RunRecord) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("conformance");
    let timestamp = record.started_at.to_string();
    // Both libraries write and read RFC 3339.
    report.timestamp = timestamp.parse().ok();
    let elapsed = record.finished_at.duration_since(record.started_at);
    report.set_time(elapsed.try_into().unwrap_or_default());
    let mut groups: BTreeMap<&str, Vec<&ScenarioRecord>> = BTreeMap::new();
    for scenario in &record.scenarios {
        groups
            .entry(scenario.name.group())
            .or_default()
            .push(scenario);
    }
    let properties = properties_of(record);
    let suite_of = |name: &str| {
        let mut suite = TestSuite::new(name);
        suite.timestamp = timestamp.parse().ok();
        for (name, value) in &properties {
            suite.add_property((name.as_str(), value.as_str()));
        }
        suite
    };
    for (group, scenarios) in groups {
        let mut suite = suite_of(group);
        let milliseconds = scenarios.iter().map(|record| record.elapsed_milliseconds);
        suite.set_time(Duration::from_millis(milliseconds.sum()));
        suite.add_test_cases(scenarios.into_iter().map(test_case));
        report.add_test_suite(suite);
    }
    if !record.findings.is_empty() {
        let mut suite = suite_of(RUN);
        suite.set_time(Duration::ZERO);
        suite.add_test_case(case_of_the_run(&record.findings));
        report.add_test_suite(suite);
    }
    report.to_string()
}

/// Returns what each suite says of the run.
fn properties_of(record: &RunRecord) -> Vec<(String, String)> {
    let judged = judged(record);
    let mut properties = vec![
        ("run".to_owned(), record.run.to_string()),
        ("exit-code".to_owned(), record.exit_code.to_string()),
        (
            "agent.reference-stub".to_owned(),
            judged.is_about_the_reference_stub().to_string(),
        ),
    ];
    properties.extend(judged.pairs());
    properties
}

/// Makes one case of what was wrong with the run as a whole: no scenario has it.
fn case_of_the_run(findings: &[Finding]) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    describe_first(&mut status, findings);
    status.set_description(description(findings, |finding| {
        format!("{finding}\n{}", finding.notes.join("\n"))
    }));
    let mut case = TestCase::new("the run as a whole", status);
    case.set_classname(RUN);
    case.set_time(Duration::ZERO);
    add_findings(&mut case, findings);
    case
}

/// Gives a failure the kind of its first finding as its type, and its data as its message.
fn describe_first(status: &mut TestCaseStatus, findings: &[Finding]) {
    if let Some(first) = findings.first() {
        status.set_message(line(&format!(
            "expected {}, observed {}",
            first.expected, first.observed
        )));
        status.set_type(first.kind.as_str());
    }
}

/// Adds kind, severity and data of each finding as properties, numbered from 1: data as JSON, as `report.json` has it.
fn add_findings(case: &mut TestCase, findings: &[Finding]) {
    for (index, finding) in findings.iter().take(FINDINGS_SHOWN).enumerate() {
        let mut add = |what: &str, value: &str| {
            let name = format!("finding.{}.{what}", index + 1);
            case.add_property((name.as_str(), line(value).as_str()));
        };
        add("kind", finding.kind.as_str());
        add("severity", finding.severity.as_str());
        add("expected", &json(&finding.expected));
        add("observed", &json(&finding.observed));
    }
}

/// Writes findings out one below the other.
fn description(findings: &[Finding], write: impl Fn(&Finding) -> String) -> String {
    let shown = findings.iter().take(FINDINGS_SHOWN);
    let mut lines: Vec<String> = shown.map(write).collect();
    if findings.len() > FINDINGS_SHOWN {
        let more = findings.len() - FINDINGS_SHOWN;
        lines.push(format!("{more} more findings are in `report.json`"));
    }
    text(&lines.join("\n\n"))
}

fn line(text: &str) -> String {
    harmless(&bounded(text, LINE_LIMIT))
}

fn text(text: &str) -> String {
    harmless(&bounded(text, DESCRIPTION_LIMIT))
}

fn json(datum: &Datum) -> String {
    serde_json::to_string(datum).unwrap_or_default()
}

fn test_case(scenario: &ScenarioRecord) -> TestCase {
    let mut case = TestCase::new(scenario.name.stem(), status(scenario));
    case.set_classname(scenario.name.group());
    case.set_time(Duration::from_millis(scenario.elapsed_milliseconds));
    let file = line(scenario.file.as_str());
    case.extra.insert("file".into(), file.as_str().into());
    for (name, value) in [
        ("id", scenario.id.as_str()),
        ("level", &scenario.level.to_string()),
        ("procedure", &scenario.procedure),
        ("summary", &scenario.summary),
        ("sha256", &scenario.sha256),
    ] {
        case.add_property((name, line(value).as_str()));
    }
    if let Some(evidence) = &scenario.evidence {
        case.add_property(("evidence", evidence.as_str()));
    }
    if let ScenarioResult::Failed(findings) = &scenario.result {
        let lines = findings.iter().map(|finding| finding.position.line);
        if let Some(line) = lines.filter(|line| *line > 0).min() {
            case.extra.insert("line".into(), line.to_string().into());
        }
        add_findings(&mut case, findings);
    }
    case
}

fn status(scenario: &ScenarioRecord) -> TestCaseStatus {
    match &scenario.result {
        ScenarioResult::Passed => TestCaseStatus::success(),
        ScenarioResult::Failed(findings) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            describe_first(&mut status, findings);
            status.set_description(description(findings, |finding| {
                format!(
                    "{}: {finding} ({})\n{}",
                    finding.written_place(&scenario.file),
                    finding.severity,
                    finding.notes.join("\n")
                )
            }));
            status
        }
        ScenarioResult::Errored(fault) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(line(fault.causes.first().map_or("", String::as_str)));
            let hints = fault.hints.iter().map(|hint| format!("\nhint: {hint}"));
            let hints: String = hints.collect();
            let causes = fault.causes.join("\ncaused by: ");
            status.set_description(text(&format!("{causes}{hints}")));
            status
        }
        ScenarioResult::Unsupported { missing, reasons } => {
            let mut status = TestCaseStatus::skipped();
            let described = describe_missing(missing, reasons);
            status.set_message(line(&format!("missing features: {described}")));
            status
        }
        ScenarioResult::Excluded { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(line(reason));
            status
        }
    }
}

#[cfg(test)]
#[path = "junit_tests.rs"]
mod tests;
