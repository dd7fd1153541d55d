//! Tests of the JUnit report: read back by the library that other tools of the language read it with.

use quick_junit::Report;

use super::*;
use crate::report::test_records::{errored, failed, finding, passed, record, scenario};
use harness_core::model::feature::Feature;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::outcome::Outcome;

fn read_back(record: &RunRecord) -> Report {
    let text = render(record).expect("XML");
    Report::deserialize_from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn property<'a>(properties: &'a [quick_junit::Property], name: &str) -> Option<&'a str> {
    let found = properties
        .iter()
        .find(|property| property.name.as_str() == name)?;
    Some(found.value.as_str())
}

#[test]
fn each_group_is_a_suite_and_each_case_has_its_group_and_its_place() {
    let missed = finding(
        FindingKind::Outcome,
        Outcome::BlockedByAgent,
        Outcome::Allowed,
    );
    let missing = ScenarioResult::Unsupported {
        missing: vec![Feature::Rollout],
        reasons: [].into(),
    };
    let report = read_back(&record(vec![
        passed("drain::one"),
        failed("drain::two", vec![missed]),
        errored("startup::three", &["no pod"]),
        scenario("startup::four", missing),
    ]));
    assert_eq!((report.tests, report.failures), (4, 1));
    assert_eq!((report.errors, report.skipped), (1, 1));
    assert_eq!(report.time, Some(Duration::from_millis(12_500)));
    let timestamp = report.timestamp.map(|timestamp| timestamp.to_rfc3339());
    assert_eq!(timestamp.as_deref(), Some("2026-01-02T03:04:05+00:00"));
    let suites: Vec<&str> = report
        .test_suites
        .iter()
        .map(|suite| suite.name.as_str())
        .collect();
    assert_eq!(suites, ["drain", "startup"]);
    let suite = &report.test_suites[0];
    assert_eq!(suite.time, Some(Duration::from_secs(3)));
    assert!(suite.timestamp.is_some());
    let case = &suite.test_cases[1];
    assert_eq!(case.name.as_str(), "two");
    assert_eq!(case.classname.as_deref(), Some("drain"));
    assert_eq!(case.time, Some(Duration::from_millis(1_500)));
    assert_eq!(case.extra["file"].as_str(), "scenarios/drain/two.yaml");
    assert_eq!(case.extra["line"].as_str(), "14");
    assert_eq!(property(&case.properties, "id"), Some("A02"));
    assert_eq!(property(&case.properties, "level"), Some("core"));
    assert_eq!(
        property(&case.properties, "finding.1.kind"),
        Some("outcome")
    );
}

#[test]
fn each_suite_says_what_was_judged() {
    let mut record = record(vec![passed("a::one"), passed("b::two")]);
    record
        .environment
        .features
        .insert(Feature::AgentFaultInjection);
    record.findings = vec![finding(FindingKind::ImageDigest, "a", "b")];
    let report = read_back(&record);
    assert_eq!(report.test_suites.len(), 3);
    for suite in &report.test_suites {
        let of = |name| property(&suite.properties, name).unwrap_or_default();
        assert_eq!(of("run"), "h0run");
        assert_eq!(of("exit-code"), "0");
        assert_eq!(of("agent.reference-stub"), "true");
        assert!(of("agent").starts_with("agent-stub (the reference stub), version"));
        assert!(of("envoy").contains("sha256:abab"), "{}", of("envoy"));
        assert!(of("environment").starts_with("local,"));
    }
    assert_eq!(
        report.test_suites[2].test_cases[0].name.as_str(),
        "the run as a whole"
    );
}

#[test]
fn hostile_text_is_read_back_as_text_and_is_bounded() {
    let text = format!(
        "]]></failure><script>\u{1b}\0\u{202e}&\"'|{}",
        "x".repeat(1_000_000)
    );
    let observed =
        finding(FindingKind::AgentSignals, text.as_str(), text.as_str()).note(text.as_str());
    let report = record(vec![
        failed("a::many", vec![observed; 1_000]),
        errored("a::errored", &[&text, &text]),
        scenario(
            "a::excluded",
            ScenarioResult::Excluded {
                reason: text.clone(),
            },
        ),
    ]);
    let xml = render(&report).expect("XML");
    assert!(xml.len() < 3_000_000, "{}", xml.len());
    assert!(!xml.contains("<script"), "markup");
    assert!(
        !xml.contains(['\u{1b}', '\0', '\u{202e}']),
        "control characters"
    );
    let report = read_back(&report);
    let TestCaseStatus::NonSuccess { message, .. } = &report.test_suites[0].test_cases[0].status
    else {
        panic!("it failed");
    };
    let message = message.as_deref().unwrap_or_default();
    assert!(
        message.contains("]]></failure><script>\\u{1b}\\u{0}\\u{202e}&\"'|"),
        "{message}"
    );
    assert_eq!(report.tests, 3);
}
