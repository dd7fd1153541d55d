//! What `explain` says of kinds of findings, and what becomes of reports whose findings are older.

use tempfile::TempDir;

use super::support::{conformance, empty_project, path, write};
use harness_core::model::finding_kind::FindingKind;

#[test]
fn a_kind_of_finding_is_explained() {
    let ran = conformance(&["explain", "--finding", "port-exposure"]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert!(
        ran.stdout.starts_with("port-exposure (critical)\n"),
        "{}",
        ran.seen()
    );
    for sentence in [
        FindingKind::PortExposure.meaning(),
        FindingKind::PortExposure.next_step(),
    ] {
        assert!(ran.stdout.contains(sentence), "{}", ran.seen());
    }
}

#[test]
fn kinds_are_explained_without_a_project() {
    let nowhere = TempDir::new().expect("a temporary folder");
    let ran = conformance(&["explain", "--findings", "--project", path(&nowhere)]);
    assert_eq!(ran.code, Some(0), "{}", ran.seen());
    assert_eq!(
        ran.stdout.lines().count(),
        FindingKind::ALL.len(),
        "{}",
        ran.seen()
    );
}

#[test]
fn a_misspelt_kind_is_answered_with_the_nearest() {
    let ran = conformance(&["explain", "--finding", "leaked-atack"]);
    assert_eq!(ran.code, Some(2), "{}", ran.seen());
    assert!(
        ran.stderr
            .contains("error: `leaked-atack` is not a kind of finding"),
        "{}",
        ran.seen()
    );
    assert!(
        ran.stderr
            .contains("hint: the nearest kinds are leaked-attack"),
        "{}",
        ran.seen()
    );
}

#[test]
fn explain_wants_a_scenario_or_a_kind_and_not_both() {
    for arguments in [
        &["explain"] as &[&str],
        &["explain", "A01", "--finding", "outcome"],
        &["explain", "--finding", "outcome", "--findings"],
        &["explain", "A01", "--markdown"],
    ] {
        let ran = conformance(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.seen());
    }
}

#[test]
fn an_older_report_is_refused_with_its_version_and_the_one_that_is_read() {
    let project = empty_project();
    let old = r#"{"schema-version": 1, "findings": [{"expected": "allowed"}]}"#;
    write(&project, "report.json", old);
    let report = project.path().join("report.json");
    let report = report.to_str().expect("UTF-8");
    for arguments in [&["replay", report] as &[&str], &["compare", report, report]] {
        let ran = conformance(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.seen());
        for part in [
            "its format is version 1, and this harness reads version 2",
            "hint: run the scenarios again",
        ] {
            assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.seen());
        }
    }
}
