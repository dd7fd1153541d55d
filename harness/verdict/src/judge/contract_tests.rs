//! Calls that were judged by hand: what each difference is called, and that an answer which fits has none.

use rstest::rstest;

use super::*;

fn allowed() -> CallAnswer {
    CallAnswer {
        outcome: CallOutcome::Allowed,
        grpc_status: Some(0),
        denied_status: None,
        headers: vec![
            ("x-sigsci-request-id".into(), "abc".into()),
            ("x-sigsci-waf-response".into(), "200".into()),
        ],
        detail: String::new(),
    }
}

fn blocked() -> CallAnswer {
    CallAnswer {
        outcome: CallOutcome::Blocked,
        denied_status: Some(406),
        headers: Vec::new(),
        ..allowed()
    }
}

fn record(decision: i32) -> AgentRecord {
    AgentRecord {
        id: "a.b.0.r".into(),
        request_id: "abc".into(),
        timestamp: None,
        decision,
        signals: Vec::new(),
        locations: Vec::new(),
        response_code: 0,
        method: "GET".into(),
        path: "/x".into(),
        client_address: String::new(),
        headers: Vec::new(),
    }
}

fn found(expect: &str, answer: &CallAnswer, agent: &[AgentRecord]) -> Vec<String> {
    let expect: CallExpectation = serde_saphyr::from_str(expect).expect("well-formed");
    let subject = CallSubject {
        case: "b",
        id: &RequestId::from_witness("a.b.0.r"),
        kind: CallKind::Check,
        request: Some(CheckedRequest {
            method: "GET",
            path: "/x?y",
        }),
        answer,
        agent,
    };
    judge(&subject, &expect)
        .into_iter()
        .map(|finding| finding.kind.to_string())
        .collect()
}

#[test]
fn an_answer_that_the_data_log_confirms_has_no_finding() {
    assert_eq!(
        found("outcome: allowed", &allowed(), &[record(200)]),
        [""; 0]
    );
    assert_eq!(
        found("outcome: answered", &allowed(), &[record(200)]),
        [""; 0]
    );
    assert_eq!(
        found(
            "{outcome: blocked, denied-status: 406}",
            &blocked(),
            &[record(406)]
        ),
        [""; 0]
    );
}

#[rstest]
#[case::no_record(allowed(), vec![], "agent-record")]
#[case::two_records(allowed(), vec![record(200), record(200)], "agent-record")]
#[case::contradiction(allowed(), vec![record(406)], "agent-decision")]
#[case::blocked_and_logged_as_allowed(blocked(), vec![record(200)], "agent-decision")]
#[case::another_status(blocked(), vec![record(403)], "agent-decision")]
#[case::another_path(allowed(), vec![AgentRecord { path: "/z".into(), ..record(200) }], "agent-path")]
#[case::another_method(allowed(), vec![AgentRecord { method: "PUT".into(), ..record(200) }], "agent-method")]
#[case::no_correlation(CallAnswer { headers: Vec::new(), ..allowed() }, vec![record(200)], "correlation-header")]
#[case::id_of_another(allowed(), vec![AgentRecord { request_id: "other".into(), ..record(200) }], "correlation-header")]
#[case::leak(CallAnswer { headers: allowed().headers, ..blocked() }, vec![record(406)], "check-response-header")]
fn an_answer_that_the_data_log_does_not_confirm_is_found(
    #[case] answer: CallAnswer,
    #[case] agent: Vec<AgentRecord>,
    #[case] kind: &str,
) {
    let expect = format!("outcome: {}", answer.outcome);
    let kinds = found(&expect, &answer, &agent);
    assert!(kinds.iter().any(|found| found == kind), "{kinds:?}");
}

#[test]
fn an_outcome_that_differs_is_named_alone() {
    let kinds = found("{outcome: blocked, denied-status: 406}", &allowed(), &[]);
    assert_eq!(kinds, ["call-outcome"]);
}

#[test]
fn a_failure_with_another_status_is_found() {
    let failed = CallAnswer {
        outcome: CallOutcome::Failed,
        grpc_status: Some(13),
        headers: Vec::new(),
        ..allowed()
    };
    let expect = "{outcome: failed, grpc-status: [4, 8]}";
    assert_eq!(found(expect, &failed, &[]), ["grpc-status"]);
}

#[test]
fn a_long_path_that_the_data_log_has_cut_is_no_finding() {
    let long = format!("/{}", "a".repeat(5_000));
    let cut = AgentRecord {
        path: long[..4_096].into(),
        ..record(200)
    };
    let request = |path| CheckedRequest {
        method: "GET",
        path,
    };
    assert_eq!(judge_what_the_agent_saw(request(&long), &cut).len(), 0);
    let other = AgentRecord {
        path: "/b".repeat(2_048),
        ..cut
    };
    assert_eq!(judge_what_the_agent_saw(request(&long), &other).len(), 1);
}
