//! Decides what became of a request. Witnesses that contradict each other make it ambiguous.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::{AgentRecord, Decision};
use super::join::Joined;
use super::legs::Leg;
use super::proxy::{DETAILS_DENIED, DETAILS_ERROR, DETAILS_UPSTREAM, ProxyRecord};
use crate::model::outcome::Outcome;
use crate::traffic::record::{ClientResult, ResponseRecord};

/// By how much a proxy's own measure of a wait that it gave up may fall short of the time-out: timers are coarse.
const TIMER_SLACK: Duration = Duration::from_millis(20);

/// An outcome with what explains it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judgement {
    /// The outcome.
    pub outcome: Outcome,
    /// Contradictions and remarks, each a line.
    pub reasons: Vec<String>,
}

/// Decides what became of a request.
pub fn decide(joined: &Joined) -> Judgement {
    let mut reasons = Vec::new();
    let response = match &joined.client.result {
        ClientResult::Response(response) => response,
        ClientResult::Failed(failure) => {
            reasons.push(format!(
                "the client got no answer: {:?} during {:?}: {}",
                failure.cause, failure.phase, failure.detail
            ));
            return Judgement {
                outcome: Outcome::Lost,
                reasons,
            };
        }
    };
    if let Some(server) = joined.answered_from_outside() {
        reasons.push(format!(
            "something outside the pod answered with {}: it calls itself {server:?}, and no witness of the pod knows the request",
            response.status
        ));
        return Judgement {
            outcome: Outcome::Lost,
            reasons,
        };
    }
    let Some(proxy) = joined.proxy.first() else {
        return ambiguous(vec!["the proxy has no record of the request".into()]);
    };
    let mut contradictions = repeated_records(joined, proxy);
    contradictions.extend(joined.earlier.iter().filter_map(Leg::contradiction));
    for leg in &joined.earlier {
        reasons.push(format!(
            "the proxy followed a redirect by itself; before it the application received {}{}",
            leg.upstream.target,
            if leg.proxy.asked() {
                ""
            } else {
                ", which the agent was not asked about"
            }
        ));
    }
    if proxy.status != response.status {
        contradictions.push(format!(
            "the client received {} and the proxy recorded {}",
            response.status, proxy.status
        ));
    }
    let reached = !joined.upstream.is_empty();
    if proxy.details == DETAILS_UPSTREAM && !reached {
        contradictions.push(
            "the proxy passed an answer of the application on, and the application has no record"
                .into(),
        );
    }
    if proxy.upstream.is_none() && reached {
        contradictions.push(
            "the application received the request, and the proxy says that it sent it nowhere"
                .into(),
        );
    }
    let denied_in_grpc = denies_in_grpc(response);
    let outcome = match timely(
        joined.agent.first(),
        proxy,
        joined.authorization_timeout,
        &mut reasons,
    ) {
        Some(agent) => with_decision(agent, proxy, reached, denied_in_grpc, &mut contradictions),
        None => without_decision(proxy, reached, &mut contradictions),
    };
    if contradictions.is_empty() {
        Judgement { outcome, reasons }
    } else {
        contradictions.append(&mut reasons);
        ambiguous(contradictions)
    }
}

const fn ambiguous(reasons: Vec<String>) -> Judgement {
    Judgement {
        outcome: Outcome::Ambiguous,
        reasons,
    }
}

/// The proxy itself says how often it sent a request to the application. Where it does not, once is right.
fn repeated_records(joined: &Joined, proxy: &ProxyRecord) -> Vec<String> {
    let attempts = proxy
        .attempts
        .map_or(1, |attempts| attempts.max(1) as usize);
    [
        ("the proxy", joined.proxy.len(), 1),
        ("the agent", joined.agent.len(), 1),
        ("the application", joined.upstream.len(), attempts),
    ]
    .into_iter()
    .filter(|(_, count, most)| count > most)
    .map(|(witness, count, _)| format!("{witness} recorded the request {count} times"))
    .collect()
}

/// Leaves a decision out that the proxy did not wait for.
///
/// The time in the agent's log may be that of the request or that of the decision (the vendor's documentation does not say): a
/// decision is late when it is dated after the proxy's wait, and also when that wait took as long as the proxy waits at all.
fn timely<'a>(
    agent: Option<&'a AgentRecord>,
    proxy: &ProxyRecord,
    timeout: Option<Duration>,
    reasons: &mut Vec<String>,
) -> Option<&'a AgentRecord> {
    let agent = agent?;
    let dated_later = agent
        .timestamp
        .zip(proxy.agent_awaited_until())
        .is_some_and(|(decided, awaited_until)| decided >= awaited_until);
    let waited_out = proxy
        .authorization_microseconds
        .map(Duration::from_micros)
        .zip(timeout)
        .is_some_and(|(waited, timeout)| waited + TIMER_SLACK >= timeout);
    let late = proxy.agent_failed() && (dated_later || waited_out);
    if late {
        reasons.push("the agent decided after the proxy had given up".into());
    }
    (!late).then_some(agent)
}

/// Whether an answer is a denial in gRPC's own terms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GrpcDenial {
    Absent,
    Present,
}

/// Envoy answers a gRPC request with status 200 and the error in `grpc-status` (its `Grpc::Utility` for local replies).
fn denies_in_grpc(response: &ResponseRecord) -> GrpcDenial {
    let status = response
        .header_values("grpc-status")
        .chain(
            response
                .trailers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("grpc-status"))
                .map(|(_, value)| value.as_str()),
        )
        .next();
    match status {
        Some(status) if status != "0" => GrpcDenial::Present,
        Some(_) | None => GrpcDenial::Absent,
    }
}

fn with_decision(
    agent: &AgentRecord,
    proxy: &ProxyRecord,
    reached: bool,
    denial: GrpcDenial,
    contradictions: &mut Vec<String>,
) -> Outcome {
    if proxy.agent_failed() {
        contradictions.push(format!(
            "the agent decided {} and the proxy says that the agent could not be asked",
            agent.decision
        ));
    }
    if !proxy.asked() {
        contradictions.push(format!(
            "the agent decided {} and the proxy says that it did not ask it",
            agent.decision
        ));
    }
    match agent.decision() {
        Decision::Block => {
            if proxy.details != DETAILS_DENIED {
                contradictions.push(format!(
                    "the agent blocked with {} and the proxy's details are `{}`",
                    agent.decision, proxy.details
                ));
            }
            if reached {
                contradictions
                    .push("the agent blocked and the application received the request".into());
            }
            let as_grpc = denial == GrpcDenial::Present && proxy.status == 200;
            if i32::from(proxy.status) != agent.decision && !as_grpc {
                contradictions.push(format!(
                    "the agent blocked with {} and the proxy answered {}",
                    agent.decision, proxy.status
                ));
            }
            Outcome::BlockedByAgent
        }
        Decision::Allow => {
            if proxy.details == DETAILS_DENIED && !proxy.asked_another() {
                contradictions.push("the agent allowed and the proxy denied".into());
            }
            match (reached, agent.signals.is_empty()) {
                (true, true) => Outcome::Allowed,
                (true, false) => Outcome::AllowedAndTagged,
                (false, _) => Outcome::RejectedByProxy,
            }
        }
        Decision::NotProcessed => {
            contradictions.push(format!(
                "the agent's response code {} means that it did not process the request",
                agent.decision
            ));
            Outcome::Ambiguous
        }
    }
}

fn without_decision(
    proxy: &ProxyRecord,
    reached: bool,
    contradictions: &mut Vec<String>,
) -> Outcome {
    if proxy.details == DETAILS_DENIED && !proxy.was_denied_unasked() {
        contradictions
            .push("the proxy denied in the agent's name, and the agent has no record".into());
    }
    if proxy.details == DETAILS_ERROR {
        if reached {
            contradictions.push("the proxy denied and the application received the request".into());
        }
        return Outcome::FailedClosed;
    }
    if proxy.agent_failed() {
        return if reached {
            Outcome::FailedOpen
        } else {
            Outcome::RejectedByProxy
        };
    }
    if proxy.asked() {
        if proxy.details != DETAILS_DENIED {
            contradictions.push("the proxy asked the agent, and the agent has no record".into());
        }
        return Outcome::Ambiguous;
    }
    if reached {
        Outcome::NotInspected
    } else {
        Outcome::RejectedByProxy
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::traffic::record::{ClientFailure, FailureCause, RequestPhase};
    use crate::witness::fixture;
    use crate::witness::legs::Leg;

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
            authorization_timeout: None,
        }
    }

    #[test]
    fn an_answer_of_a_stranger_is_a_loss_and_nobody_waits_for_its_records() {
        let mut joined = joined(200, DETAILS_UPSTREAM, Some(10), false, Some(200), true);
        joined.proxy.clear();
        joined.agent.clear();
        joined.upstream.clear();
        let answered_by = |joined: &mut Joined, server: &str| {
            if let ClientResult::Response(response) = &mut joined.client.result {
                response.headers = vec![("server".into(), server.into())];
            }
        };
        answered_by(&mut joined, "somebody");
        let judgement = decide(&joined);
        assert_eq!(judgement.outcome, Outcome::Lost);
        assert!(judgement.reasons[0].contains("somebody"), "{judgement:?}");
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
            response.headers = vec![("server".into(), "somebody".into())];
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
    #[case::check_without_the_agents_record(joined(
        200,
        "via_upstream",
        Some(9),
        false,
        None,
        true
    ))]
    #[case::answer_without_the_applications_record(joined(
        200,
        "via_upstream",
        Some(9),
        false,
        Some(200),
        false
    ))]
    #[case::decision_that_nobody_asked_for(joined(
        200,
        "via_upstream",
        None,
        false,
        Some(200),
        true
    ))]
    #[case::block_with_another_code(joined(
        406,
        "ext_authz_denied",
        Some(9),
        false,
        Some(599),
        false
    ))]
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
    fn a_redirect_leads_to_the_last_legs_outcome_unless_an_earlier_one_contradicts(
        #[case] earlier_decision: i32,
        #[case] outcome: Outcome,
    ) {
        let mut joined = joined(406, "ext_authz_denied", Some(9), false, Some(406), false);
        joined.earlier.push(Leg {
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
        let joined = joined(200, "via_upstream", Some(0), true, Some(406), true);
        let judgement = decide(&joined);
        assert_eq!(judgement.outcome, Outcome::FailedOpen);
        assert!(judgement.reasons[0].contains("given up"));
    }

    #[test]
    fn a_decision_that_the_proxy_waited_for_in_vain_does_not_count_whatever_its_date() {
        let mut joined = joined(200, "via_upstream", Some(999_843), true, Some(406), true);
        joined.authorization_timeout = Some(Duration::from_secs(1));
        let judgement = decide(&joined);
        assert_eq!(judgement.outcome, Outcome::FailedOpen);
        joined.authorization_timeout = Some(Duration::from_secs(2));
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
}
