//! Verdicts: which findings kill, and what became of a mutant.

use rstest::rstest;

use super::super::matrix::Wrong;
use super::*;
use harness_core::model::finding::Fault;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};

fn by(scenario: &str) -> Kill {
    Kill {
        scenario: scenario.into(),
        case: None,
        kind: FindingKind::Outcome,
        expected: Some("blocked-by-agent".into()),
        observed: Some("allowed".into()),
    }
}

fn mutant(kills: &[Kill]) -> Mutant {
    Mutant {
        name: "m".into(),
        fault: "it is wrong".into(),
        wrong: Wrong::Agent(Located::unwritten("m".into())),
        kills: kills.to_vec(),
    }
}

fn failed(observed: &str) -> ScenarioResult {
    ScenarioResult::Failed(vec![Finding::new(
        FindingKind::Outcome,
        Position::default(),
        "blocked-by-agent",
        observed,
    )])
}

fn other_failure() -> ScenarioResult {
    ScenarioResult::Failed(vec![Finding::new(
        FindingKind::Reconciliation,
        Position::default(),
        "4",
        "3",
    )])
}

fn errored() -> ScenarioResult {
    ScenarioResult::Errored(Fault {
        causes: vec!["no pod".into()],
        hints: Vec::new(),
    })
}

fn unsupported() -> ScenarioResult {
    ScenarioResult::Unsupported {
        missing: Vec::new(),
        reasons: BTreeMap::new(),
    }
}

fn status(results: impl IntoIterator<Item = (&'static str, ScenarioResult)>) -> MutantStatus {
    let results = results
        .into_iter()
        .map(|(id, result)| (id.to_owned(), result))
        .collect();
    judge(&mutant(&[by("A02-sqli")]), &results).status()
}

#[rstest]
#[case::as_it_must(failed("allowed"), MutantStatus::Killed)]
#[case::for_another_reason(other_failure(), MutantStatus::KilledByAnother)]
#[case::with_another_datum(failed("failed-closed"), MutantStatus::KilledByAnother)]
#[case::not_at_all(ScenarioResult::Passed, MutantStatus::Survived)]
#[case::by_an_error_of_the_environment(errored(), MutantStatus::NotProven)]
#[case::not_here(unsupported(), MutantStatus::NotHere)]
fn only_the_finding_that_is_asked_for_kills(
    #[case] result: ScenarioResult,
    #[case] expected: MutantStatus,
) {
    assert_eq!(status([("A02-sqli", result)]), expected);
}

#[test]
fn a_scenario_that_is_gone_lets_its_mutants_escape() {
    assert_eq!(
        status([("A01", ScenarioResult::Passed)]),
        MutantStatus::Survived
    );
    let verdict = judge(&mutant(&[by("A02-sqli")]), &BTreeMap::new());
    assert_eq!(verdict.escapes[0].how, HowEscaped::NoSuchScenario);
}

#[test]
fn what_another_environment_has_to_show_does_not_undo_what_was_seen_here() {
    let results = BTreeMap::from([
        ("A01".to_owned(), failed("allowed")),
        ("R11".to_owned(), unsupported()),
    ]);
    let verdict = judge(&mutant(&[by("A01"), by("R11")]), &results);
    assert_eq!(verdict.status(), MutantStatus::Killed);
    assert_eq!(verdict.not_here, ["R11"]);
}

#[test]
fn a_run_that_could_not_begin_proves_nothing() {
    let verdict = not_run(&mutant(&[by("A02-sqli")]), &["no disk".into()]);
    assert_eq!(verdict.status(), MutantStatus::NotProven);
}

#[test]
fn another_scenario_that_fails_is_no_substitute() {
    let results = [
        ("A02-sqli", ScenarioResult::Passed),
        ("L01", other_failure()),
    ];
    assert_eq!(status(results), MutantStatus::KilledByAnother);
}

#[rstest]
#[case::any_case_and_datum(None, FindingKind::Outcome, None, true)]
#[case::the_case(Some("form"), FindingKind::Outcome, None, true)]
#[case::another_case(Some("json"), FindingKind::Outcome, None, false)]
#[case::another_kind(Some("form"), FindingKind::ClientStatus, None, false)]
#[case::the_datum(Some("form"), FindingKind::Outcome, Some("allowed"), true)]
#[case::a_part_of_the_datum(Some("form"), FindingKind::Outcome, Some("allow"), false)]
fn a_finding_is_met_by_case_kind_and_datum(
    #[case] case: Option<&str>,
    #[case] kind: FindingKind,
    #[case] observed: Option<&str>,
    #[case] expected: bool,
) {
    let finding = Finding::new(
        FindingKind::Outcome,
        Position::default(),
        "blocked-by-agent",
        "allowed",
    );
    let finding = finding.about("form", &RequestId::from_witness("x.form.0.r"));
    let kill = Kill {
        scenario: "B01".into(),
        case: case.map(str::to_owned),
        kind,
        expected: None,
        observed: observed.map(str::to_owned),
    };
    assert_eq!(is_met(&kill, &finding), expected);
}
