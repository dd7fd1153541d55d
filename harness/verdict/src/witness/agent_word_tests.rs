//! Tests of [`super`]: what the agent said, by whom it is known.

use jiff::ToSpan as _;
use rstest::rstest;

use super::*;
use crate::witness::fixture;
use crate::witness::outcome::{Judgement, decide};
use crate::witness::wire::{WireAnswer, WireRecord};
use harness_core::model::outcome::Outcome;
use harness_traffic::record::ClientResult;

fn check(verdict: Option<WireVerdict>) -> WireRecord {
    let asked_at = fixture::proxy().start;
    WireRecord {
        id: fixture::ID.into(),
        proxy_request: "1".into(),
        asked_at,
        method: "GET".into(),
        path: "/".into(),
        host: "pod".into(),
        peer_address: "10.1.0.2".into(),
        headers: Vec::new(),
        body_length: 0,
        body_sha256: String::new(),
        size: 0,
        answer: verdict.map(|verdict| WireAnswer {
            at: asked_at + 1.millisecond(),
            verdict,
            headers: Vec::new(),
            removed: Vec::new(),
            body_length: 0,
        }),
    }
}

/// A request that the proxy passed on, or denied with a status, after it had asked an agent without a log.
fn unlogged(denied_with: Option<u16>, wire: Vec<WireRecord>) -> Joined {
    let mut joined = fixture::joined();
    joined.agent.clear();
    joined.agent_log = AgentLog::Absent;
    joined.wire = wire;
    joined.proxy[0].authorization_microseconds = Some(900);
    if let (Some(status), ClientResult::Response(response)) =
        (denied_with, &mut joined.client.result)
    {
        response.status = status;
        joined.proxy[0].status = status;
        joined.proxy[0].details = DETAILS_DENIED.into();
        joined.proxy[0].upstream = None;
        joined.upstream.clear();
    }
    joined
}

fn mentions(judgement: &Judgement, text: &str) -> bool {
    judgement.reasons.iter().any(|reason| reason.contains(text))
}

#[rstest]
#[case(None, WireVerdict::Allowed, Outcome::Allowed)]
#[case(Some(403), WireVerdict::Denied { status: 403 }, Outcome::BlockedByAgent)]
#[case(Some(403), WireVerdict::Denied { status: 406 }, Outcome::Ambiguous)]
#[case(None, WireVerdict::Denied { status: 403 }, Outcome::Ambiguous)]
#[case(Some(403), WireVerdict::Allowed, Outcome::Ambiguous)]
fn an_agent_without_a_log_is_judged_by_what_it_answered(
    #[case] denied_with: Option<u16>,
    #[case] verdict: WireVerdict,
    #[case] outcome: Outcome,
) {
    let joined = unlogged(denied_with, vec![check(Some(verdict))]);
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, outcome, "{:?}", judgement.reasons);
    assert!(joined.awaited().is_empty());
}

#[test]
fn signals_of_an_agent_without_a_log_are_seen_by_what_it_tells_the_application() {
    let mut tagged = check(Some(WireVerdict::Allowed));
    if let Some(answer) = &mut tagged.answer {
        answer.headers = vec![("X-SigSci-Tags".into(), "SQLI".into())];
    }
    let judgement = decide(&unlogged(None, vec![tagged]));
    assert_eq!(judgement.outcome, Outcome::AllowedAndTagged);
}

#[rstest]
#[case(None, Outcome::Allowed)]
#[case(Some(403), Outcome::BlockedByAgent)]
fn without_log_and_wire_the_proxys_word_counts_and_that_is_said(
    #[case] denied_with: Option<u16>,
    #[case] outcome: Outcome,
) {
    let judgement = decide(&unlogged(denied_with, Vec::new()));
    assert_eq!(judgement.outcome, outcome);
    assert!(mentions(&judgement, "proxy's word alone"));
}

#[test]
fn a_denial_that_may_be_another_services_is_not_the_agents_by_the_proxys_word() {
    let mut joined = unlogged(Some(403), Vec::new());
    joined.proxy[0].authentication_microseconds = Some(5);
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::Ambiguous);
    assert!(mentions(&judgement, "another service too"), "{judgement:?}");
}

#[test]
fn an_answer_that_was_not_read_takes_nothing_from_the_other_witnesses() {
    let mut joined = unlogged(None, vec![check(None)]);
    assert_eq!(decide(&joined).outcome, Outcome::Allowed);
    joined.agent_log = AgentLog::Kept;
    joined.agent = vec![fixture::agent()];
    assert_eq!(decide(&joined).outcome, Outcome::Allowed);
}

#[test]
fn an_agent_with_a_log_is_not_believed_without_it() {
    let mut joined = unlogged(Some(406), Vec::new());
    joined.agent_log = AgentLog::Kept;
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
    assert_eq!(joined.awaited(), ["the agent"]);
    joined.wire = vec![check(Some(WireVerdict::Denied { status: 406 }))];
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::Ambiguous);
    assert!(mentions(&judgement, "its data log has no record"));
}

#[test]
fn a_log_that_says_something_else_than_the_agent_answered_contradicts_it() {
    let mut joined = unlogged(Some(406), Vec::new());
    joined.agent_log = AgentLog::Kept;
    joined.wire = vec![check(Some(WireVerdict::Denied { status: 406 }))];
    joined.agent = vec![AgentRecord {
        decision: 406,
        ..fixture::agent()
    }];
    assert_eq!(decide(&joined).outcome, Outcome::BlockedByAgent);
    joined.agent[0].decision = 200;
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::Ambiguous);
    assert!(mentions(&judgement, "answered 406"), "{judgement:?}");
}

#[test]
fn an_answer_that_came_when_the_proxy_had_given_up_does_not_count() {
    let mut joined = unlogged(
        None,
        vec![
            check(None),
            check(Some(WireVerdict::Denied { status: 403 })),
        ],
    );
    joined.proxy[0].failure_mode_allowed = true;
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::FailedOpen);
    assert!(mentions(&judgement, "given up"), "{judgement:?}");
    let line = crate::witness::wire::describe(&joined.wire).expect("it is there");
    assert!(line.ends_with("it denied with 403 after 1000 µs, when the proxy had given up"));
}

#[rstest]
#[case(None, "no answer")]
#[case(Some(WireVerdict::Failed { code: 13, message: "oops".into() }), "gRPC status 13: oops")]
#[case(Some(WireVerdict::Undecodable { reason: "too long".into() }), "cannot be read: too long")]
fn what_is_no_decision_explains_why_the_request_failed_open(
    #[case] verdict: Option<WireVerdict>,
    #[case] said: &str,
) {
    let mut joined = unlogged(None, vec![check(verdict)]);
    joined.proxy[0].failure_mode_allowed = true;
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::FailedOpen);
    assert!(mentions(&judgement, said), "{judgement:?}");
}

#[test]
fn of_several_checks_the_last_one_asked_counts() {
    let earlier = check(Some(WireVerdict::Denied { status: 403 }));
    let mut later = check(Some(WireVerdict::Allowed));
    later.asked_at += 5.milliseconds();
    let judgement = decide(&unlogged(None, vec![later, earlier]));
    assert_eq!(judgement.outcome, Outcome::Allowed);
}

#[test]
fn what_the_agent_was_shown_of_a_body_is_said() {
    let cut = WireRecord {
        body_length: 8_192,
        size: 20_000,
        ..check(Some(WireVerdict::Allowed))
    };
    let line = crate::witness::wire::describe(&[cut]).expect("it is there");
    assert!(
        line.contains("8192 of 20000 bytes of body; it answered OK after 1000 µs"),
        "{line}"
    );
}
