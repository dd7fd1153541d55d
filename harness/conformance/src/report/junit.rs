//! `junit.xml`: a failure is the agent's, an error is the environment's.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::record::{RunRecord, ScenarioRecord};
use super::untrusted::harmless;
use harness_core::model::datum::Datum;
use harness_core::model::finding::{Finding, ScenarioResult, describe_missing};

/// Makes the JUnit report. quick-junit escapes markup.
pub fn render(record: &RunRecord) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("conformance");
    let mut suite = TestSuite::new(record.environment.name.as_str());
    for scenario in &record.scenarios {
        suite.add_test_case(test_case(scenario));
    }
    if !record.findings.is_empty() {
        suite.add_test_case(case_of_the_run(&record.findings));
    }
    report.add_test_suite(suite);
    report.to_string()
}

/// Makes one case of what was wrong with the run as a whole: no scenario has it.
fn case_of_the_run(findings: &[Finding]) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let lines: Vec<String> = findings
        .iter()
        .map(|finding| format!("{finding}\n{}", finding.notes.join("\n")))
        .collect();
    describe_first(&mut status, findings);
    status.set_description(harmless(&lines.join("\n\n")));
    let mut case = TestCase::new("the run as a whole", status);
    add_findings(&mut case, findings);
    case
}

/// Gives a failure the kind of its first finding as its type, and its data as its message.
fn describe_first(status: &mut TestCaseStatus, findings: &[Finding]) {
    if let Some(first) = findings.first() {
        status.set_message(harmless(&format!(
            "expected {}, observed {}",
            first.expected, first.observed
        )));
        status.set_type(first.kind.as_str());
    }
}

/// Adds kind, severity and data of each finding as properties, numbered from 1: data as JSON, as `report.json` has it.
fn add_findings(case: &mut TestCase, findings: &[Finding]) {
    for (index, finding) in findings.iter().enumerate() {
        let mut add = |what: &str, value: &str| {
            let name = format!("finding.{}.{what}", index + 1);
            case.add_property((name.as_str(), harmless(value).as_str()));
        };
        add("kind", finding.kind.as_str());
        add("severity", finding.severity.as_str());
        add("expected", &json(&finding.expected));
        add("observed", &json(&finding.observed));
    }
}

fn json(datum: &Datum) -> String {
    serde_json::to_string(datum).unwrap_or_default()
}

fn test_case(scenario: &ScenarioRecord) -> TestCase {
    let mut case = TestCase::new(scenario.name.as_str(), status(scenario));
    case.set_classname(scenario.procedure.as_str());
    case.set_time(Duration::from_millis(scenario.elapsed_milliseconds));
    if let ScenarioResult::Failed(findings) = &scenario.result {
        add_findings(&mut case, findings);
    }
    case
}

fn status(scenario: &ScenarioRecord) -> TestCaseStatus {
    match &scenario.result {
        ScenarioResult::Passed => TestCaseStatus::success(),
        ScenarioResult::Failed(findings) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let lines: Vec<String> = findings
                .iter()
                .map(|finding| {
                    format!(
                        "{}:{}: {finding} ({})\n{}",
                        scenario.file,
                        finding.position.line,
                        finding.severity,
                        finding.notes.join("\n")
                    )
                })
                .collect();
            describe_first(&mut status, findings);
            status.set_description(harmless(&lines.join("\n\n")));
            status
        }
        ScenarioResult::Errored(fault) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(harmless(fault.causes.first().map_or("", String::as_str)));
            status.set_description(harmless(&fault.causes.join("\ncaused by: ")));
            status
        }
        ScenarioResult::Unsupported { missing, reasons } => {
            let mut status = TestCaseStatus::skipped();
            let described = describe_missing(missing, reasons);
            status.set_message(format!("missing features: {described}"));
            status
        }
        ScenarioResult::Excluded { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
    }
}
