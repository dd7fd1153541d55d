//! Decides what became of a request. Witnesses that contradict each other make it ambiguous.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::Decision;
use super::agent_word::{AgentWord, Tags, agent_word};
use super::hops::Hop;
use super::join::Joined;
use super::proxy::{DETAILS_DENIED, DETAILS_ERROR, DETAILS_UPSTREAM, ProxyRecord};
use harness_core::model::outcome::Outcome;
use harness_traffic::record::{ClientResult, ResponseRecord};

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
    let outcome = match agent_word(joined, proxy, &mut reasons, &mut contradictions) {
        Some(word) => with_decision(word, proxy, reached, denied_in_grpc, &mut contradictions),
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
    agent: AgentWord,
    proxy: &ProxyRecord,
    reached: bool,
    denial: GrpcDenial,
    contradictions: &mut Vec<String>,
) -> Outcome {
    if proxy.agent_failed() {
        contradictions.push(format!(
            "the agent decided {} and the proxy says that the agent could not be asked",
            agent.code
        ));
    }
    if !proxy.asked() {
        contradictions.push(format!(
            "the agent decided {} and the proxy says that it did not ask it",
            agent.code
        ));
    }
    match agent.decision {
        Decision::Block => {
            if proxy.details != DETAILS_DENIED {
                contradictions.push(format!(
                    "the agent blocked with {} and the proxy's details are `{}`",
                    agent.code, proxy.details
                ));
            }
            if reached {
                contradictions
                    .push("the agent blocked and the application received the request".into());
            }
            let as_grpc = denial == GrpcDenial::Present && proxy.status == 200;
            if i32::from(proxy.status) != agent.code && !as_grpc {
                contradictions.push(format!(
                    "the agent blocked with {} and the proxy answered {}",
                    agent.code, proxy.status
                ));
            }
            Outcome::BlockedByAgent
        }
        Decision::Allow => {
            if proxy.details == DETAILS_DENIED && !proxy.asked_another() {
                contradictions.push("the agent allowed and the proxy denied".into());
            }
            match (reached, agent.tags) {
                (true, Tags::Absent) => Outcome::Allowed,
                (true, Tags::Present) => Outcome::AllowedAndTagged,
                (false, _) => Outcome::RejectedByProxy,
            }
        }
        Decision::NotProcessed => {
            contradictions.push(format!(
                "the agent's response code {} means that it did not process the request",
                agent.code
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
