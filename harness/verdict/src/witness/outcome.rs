//! Decides what became of a request. Witnesses that contradict each other make it ambiguous.

use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::{AgentRecord, Decision};
use super::hops::Hop;
use super::join::Joined;
use super::proxy::{DETAILS_DENIED, DETAILS_ERROR, DETAILS_UPSTREAM, ProxyRecord};
use harness_core::model::outcome::Outcome;
use harness_traffic::record::{ClientResult, ResponseRecord};

/// By how much a decision that the proxy has waited for may be dated after the wait: what the proxy did before it asked is no part of that.
const DATE_SLACK: SignedDuration = SignedDuration::from_millis(20);
/// By how much a proxy's own measure of a wait that it gave up may fall short of the time-out in any case: timers are coarse.
const COARSE_TIMER: Duration = Duration::from_millis(20);

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
    contradictions.extend(joined.earlier.iter().filter_map(Hop::contradiction));
    for hop in &joined.earlier {
        reasons.push(format!(
            "the proxy followed a redirect by itself; before it the application received {}{}",
            hop.upstream.target,
            if hop.proxy.asked() {
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
        .is_some_and(|(decided, awaited_until)| {
            decided.duration_since(awaited_until) >= DATE_SLACK
        });
    let waited_out = proxy
        .authorization_microseconds
        .map(Duration::from_micros)
        .zip(timeout)
        .is_some_and(|(waited, timeout)| waited_out(waited, timeout));
    let late = proxy.agent_failed() && (dated_later || waited_out);
    if late {
        reasons.push("the agent decided after the proxy had given up".into());
    }
    (!late).then_some(agent)
}

/// Returns whether a proxy that gave a check up after this wait did so since its time-out was over. A quarter of it may be missing: an event loop reckons its
/// timers from when it last woke (libevent's cached time), so that what it did before it asked is no part of the wait, and that is much where it was
/// not run for a while.
pub fn waited_out(waited: Duration, timeout: Duration) -> bool {
    waited + COARSE_TIMER.max(timeout / 4) >= timeout
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
#[path = "outcome_tests.rs"]
mod tests;
