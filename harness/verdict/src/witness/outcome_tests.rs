//! Tests of [`super`]: the outcome that records add up to.

use std::time::Duration;

use jiff::ToSpan as _;
use rstest::rstest;

use super::*;
use crate::witness::agent::AgentRecord;
use crate::witness::fixture;
use crate::witness::hops::Hop;
use crate::witness::wire::AgentLog;
use harness_traffic::record::{ClientFailure, FailureCause, RequestPhase};

fn joined(
    client_status: u16,
    details: &str,
    asked: Option<u64>,
    failed_open: bool,
    decision: Option<i32>,
    reached: bool,
) -> Joined {
    let mut client = fixture::client();
    if let ClientResult::Response(response) = &mut client.result {
        response.status = client_status;
    }
    let proxy = ProxyRecord {
        status: client_status,
        details: details.into(),
        upstream: reached.then(|| "127.0.0.1:8080".into()),
        authorization_microseconds: asked,
        failure_mode_allowed: failed_open,
        ..fixture::proxy()
    };
    let agent = decision.map(|decision| AgentRecord {
        decision,
        ..fixture::agent()
    });
    Joined {
        client,
        proxy: vec![proxy],
        agent: agent.into_iter().collect(),
        upstream: reached.then(fixture::upstream).into_iter().collect(),
        earlier: Vec::new(),
        mirrored: Vec::new(),
        wire: Vec::new(),
        agent_log: AgentLog::Kept,
        authorization_timeout: None,
    }
}

#[test]
fn an_answer_of_a_stranger_is_a_loss_and_its_records_are_not_awaited() {
    let mut joined = joined(200, DETAILS_UPSTREAM, Some(10), false, Some(200), true);
    joined.proxy.clear();
    joined.agent.clear();
    joined.upstream.clear();
    let answered_by = |joined: &mut Joined, server: &str| {
        if let ClientResult::Response(response) = &mut joined.client.result {
            response.headers = vec![("server".into(), server.into())];
        }
    };
    answered_by(&mut joined, "another-server");
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::Lost);
    assert!(
        judgement.reasons[0].contains("another-server"),
        "{judgement:?}"
    );
    assert!(joined.awaited().is_empty());

    answered_by(&mut joined, "envoy");
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
    assert_eq!(joined.awaited(), ["the proxy"]);
}

#[test]
fn an_answer_that_the_application_knows_is_no_strangers() {
    let mut joined = joined(200, DETAILS_UPSTREAM, Some(10), false, Some(200), true);
    joined.proxy.clear();
    if let ClientResult::Response(response) = &mut joined.client.result {
        response.headers = vec![("server".into(), "another-server".into())];
    }
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
}

#[rstest]
#[case::allowed(
    joined(200, "via_upstream", Some(9), false, Some(200), true),
    Outcome::Allowed
)]
#[case::blocked(
    joined(406, "ext_authz_denied", Some(9), false, Some(406), false),
    Outcome::BlockedByAgent
)]
#[case::too_large(
    joined(413, "request_payload_too_large", None, false, None, false),
    Outcome::RejectedByProxy
)]
#[case::allowed_then_no_application(
    joined(503, "upstream_reset", Some(9), false, Some(200), false),
    Outcome::RejectedByProxy
)]
#[case::open(
    joined(200, "via_upstream", Some(9), true, None, true),
    Outcome::FailedOpen
)]
#[case::closed(
    joined(403, "ext_authz_error", Some(9), false, None, false),
    Outcome::FailedClosed
)]
#[case::past_the_agent(
    joined(200, "via_upstream", None, false, None, true),
    Outcome::NotInspected
)]
#[case::forged_mark_past_the_agent(
    joined(200, "via_upstream", None, true, None, true),
    Outcome::NotInspected
)]
fn witnesses_that_agree_decide(#[case] joined: Joined, #[case] outcome: Outcome) {
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, outcome, "{:?}", judgement.reasons);
}

#[rstest]
#[case::block_that_reached_the_application(joined(
    406,
    "ext_authz_denied",
    Some(9),
    false,
    Some(406),
    true
))]
#[case::block_that_the_proxy_did_not_carry_out(joined(
    200,
    "via_upstream",
    Some(9),
    false,
    Some(406),
    true
))]
#[case::denial_without_the_agents_record(joined(
    406,
    "ext_authz_denied",
    Some(9),
    false,
    None,
    false
))]
#[case::allow_that_the_proxy_denied(joined(
    406,
    "ext_authz_denied",
    Some(9),
    false,
    Some(200),
    false
))]
#[case::check_without_the_agents_record(joined(200, "via_upstream", Some(9), false, None, true))]
#[case::answer_without_the_applications_record(joined(
    200,
    "via_upstream",
    Some(9),
    false,
    Some(200),
    false
))]
#[case::decision_that_nobody_asked_for(joined(200, "via_upstream", None, false, Some(200), true))]
#[case::block_with_another_code(joined(406, "ext_authz_denied", Some(9), false, Some(599), false))]
#[case::error_that_reached_the_application(joined(
    403,
    "ext_authz_error",
    Some(9),
    false,
    None,
    true
))]
#[case::code_that_is_no_decision(joined(200, "via_upstream", Some(9), false, Some(-2), true))]
#[case::decision_in_time_and_yet_failed_open(joined(
    200,
    "via_upstream",
    Some(9_000_000),
    true,
    Some(200),
    true
))]
fn witnesses_that_contradict_each_other_are_ambiguous(#[case] joined: Joined) {
    let judgement = decide(&joined);
    assert_eq!(judgement.outcome, Outcome::Ambiguous);
    assert!(!judgement.reasons.is_empty());
}

#[test]
fn a_record_that_is_there_twice_is_ambiguous() {
    for witness in 0..3 {
        let mut joined = joined(200, "via_upstream", Some(9), false, Some(200), true);
        match witness {
            0 => joined.proxy.push(joined.proxy[0].clone()),
            1 => joined.agent.push(joined.agent[0].clone()),
            _ => joined.upstream.push(joined.upstream[0].clone()),
        }
        assert_eq!(decide(&joined).outcome, Outcome::Ambiguous, "{witness}");
    }
}

#[test]
fn the_application_may_have_as_many_records_as_the_proxy_made_attempts() {
    let mut joined = joined(200, "via_upstream", Some(9), false, Some(200), true);
    joined.upstream.push(joined.upstream[0].clone());
    joined.proxy[0].attempts = Some(1);
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
    joined.proxy[0].attempts = Some(2);
    assert_eq!(decide(&joined).outcome, Outcome::Allowed);
}

#[rstest]
#[case::before_the_agent_was_asked(None, None)]
#[case::after_the_agent_allowed(Some(9), Some(200))]
fn a_denial_of_another_service_is_not_the_agents(
    #[case] asked: Option<u64>,
    #[case] decision: Option<i32>,
) {
    let mut joined = joined(401, "ext_authz_denied", asked, false, decision, false);
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
    joined.proxy[0].authentication_microseconds = Some(9);
    assert_eq!(decide(&joined).outcome, Outcome::RejectedByProxy);
}

#[test]
fn a_denial_after_the_agent_was_asked_needs_its_record() {
    let mut joined = joined(406, "ext_authz_denied", Some(9), false, None, false);
    joined.proxy[0].authentication_microseconds = Some(9);
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
}

#[rstest]
#[case(200, Outcome::BlockedByAgent)]
#[case(406, Outcome::Ambiguous)]
fn a_redirect_leads_to_the_last_hops_outcome_unless_an_earlier_one_contradicts(
    #[case] earlier_decision: i32,
    #[case] outcome: Outcome,
) {
    let mut joined = joined(406, "ext_authz_denied", Some(9), false, Some(406), false);
    joined.earlier.push(Hop {
        proxy: fixture::proxy(),
        agent: Some(AgentRecord {
            decision: earlier_decision,
            ..fixture::agent()
        }),
        upstream: fixture::upstream(),
    });
    assert_eq!(decide(&joined).outcome, outcome);
}

#[test]
fn a_denial_in_grpc_terms_is_a_block_and_an_ok_is_none() {
    for (status, outcome) in [("2", Outcome::BlockedByAgent), ("0", Outcome::Ambiguous)] {
        let mut joined = joined(200, "ext_authz_denied", Some(9), false, Some(406), false);
        if let ClientResult::Response(response) = &mut joined.client.result {
            response.headers.push(("grpc-status".into(), status.into()));
        }
        assert_eq!(decide(&joined).outcome, outcome, "{status}");
    }
}

#[test]
fn a_decision_after_the_proxy_gave_up_does_not_count() {
    let mut joined = joined(200, "via_upstream", Some(0), true, Some(406), true);
    let gave_up_at = joined.proxy[0].start;
    let mut decided_after = |milliseconds: i64| {
        joined.agent[0].timestamp = Some(gave_up_at + milliseconds.milliseconds());
        decide(&joined)
    };
    let judgement = decided_after(20);
    assert_eq!(judgement.outcome, Outcome::FailedOpen);
    assert!(judgement.reasons[0].contains("given up"));
    for answered in [-1, 0, 19] {
        assert_eq!(decided_after(answered).outcome, Outcome::Ambiguous);
    }
}

#[test]
fn a_decision_that_the_proxy_waited_for_in_vain_does_not_count_whatever_its_date() {
    let mut joined = joined(200, "via_upstream", Some(999_843), true, Some(406), true);
    joined.authorization_timeout = Some(Duration::from_secs(1));
    assert_eq!(decide(&joined).outcome, Outcome::FailedOpen);
    // Its loop had not slept for 300 ms when it asked.
    joined.authorization_timeout = Some(Duration::from_millis(1_300));
    assert_eq!(decide(&joined).outcome, Outcome::FailedOpen);
    joined.authorization_timeout = Some(Duration::from_millis(1_400));
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
}

#[test]
fn a_status_that_client_and_proxy_do_not_share_is_ambiguous() {
    let mut joined = joined(200, "via_upstream", Some(9), false, Some(200), true);
    joined.proxy[0].status = 500;
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
}

#[test]
fn no_record_of_the_proxy_is_ambiguous_and_no_answer_is_lost() {
    let mut joined = joined(200, "via_upstream", Some(9), false, Some(200), true);
    joined.proxy.clear();
    assert_eq!(decide(&joined).outcome, Outcome::Ambiguous);
    joined.client.result = ClientResult::Failed(ClientFailure {
        phase: RequestPhase::Connect,
        cause: FailureCause::Refused,
        detail: String::new(),
    });
    assert_eq!(decide(&joined).outcome, Outcome::Lost);
}
