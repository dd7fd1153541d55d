//! `junit.xml`: a failure is the agent's, an error is the environment's.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::record::{RunRecord, ScenarioRecord};
use super::untrusted::harmless;
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
        .map(|finding| {
            format!(
                "{}: expected {}, observed {}\n{}",
                finding.kind,
                finding.expected,
                finding.observed,
                finding.notes.join("\n")
            )
        })
        .collect();
    status.set_description(harmless(&lines.join("\n\n")));
    TestCase::new("the run as a whole", status)
}

fn test_case(scenario: &ScenarioRecord) -> TestCase {
    let mut case = TestCase::new(scenario.name.as_str(), status(scenario));
    case.set_classname(scenario.procedure.as_str());
    case.set_time(Duration::from_millis(scenario.elapsed_milliseconds));
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
                        "{}:{}: {}{}: expected {}, observed {}\n{}",
                        scenario.file,
                        finding.position.line,
                        finding
                            .case
                            .as_deref()
                            .map(|case| format!("{case}: "))
                            .unwrap_or_default(),
                        finding.kind,
                        finding.expected,
                        finding.observed,
                        finding.notes.join("\n")
                    )
                })
                .collect();
            if let Some(first) = findings.first() {
                status.set_message(harmless(&format!(
                    "expected {}, observed {}",
                    first.expected, first.observed
                )));
                status.set_type(first.kind.as_str());
            }
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
