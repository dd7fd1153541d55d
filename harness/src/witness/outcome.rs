//! Decides what became of a request. Witnesses that contradict each other make it ambiguous.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::{AgentRecord, Decision};
use super::join::Joined;
use super::proxy::{DETAILS_DENIED, DETAILS_ERROR, DETAILS_UPSTREAM, ProxyRecord};
use crate::model::outcome::Outcome;
use crate::traffic::record::ClientResult;

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
    let Some(proxy) = joined.proxy.first() else {
        return ambiguous(vec!["the proxy has no record of the request".into()]);
    };
    let mut contradictions = repeated_records(joined);
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
    let outcome = match timely(joined.agent.first(), proxy, &mut reasons) {
        Some(agent) => with_decision(agent, proxy, reached, &mut contradictions),
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

fn repeated_records(joined: &Joined) -> Vec<String> {
    [
        ("the proxy", joined.proxy.len()),
        ("the agent", joined.agent.len()),
        ("the application", joined.upstream.len()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 1)
    .map(|(witness, count)| format!("{witness} recorded the request {count} times"))
    .collect()
}

/// Leaves a decision out that was made after the proxy had stopped waiting for it.
fn timely<'a>(
    agent: Option<&'a AgentRecord>,
    proxy: &ProxyRecord,
    reasons: &mut Vec<String>,
) -> Option<&'a AgentRecord> {
    let agent = agent?;
    let late = proxy.agent_failed()
        && agent
            .timestamp
            .zip(proxy.agent_awaited_until())
            .is_some_and(|(decided, awaited_until)| decided >= awaited_until);
    if late {
        reasons.push("the agent decided after the proxy had given up".into());
    }
    (!late).then_some(agent)
}

fn with_decision(
    agent: &AgentRecord,
    proxy: &ProxyRecord,
    reached: bool,
    contradictions: &mut Vec<String>,
) -> Outcome {
    if proxy.agent_failed() {
        contradictions.push(format!(
            "the agent decided {} and the proxy says that the agent could not be asked",
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
            Outcome::BlockedByAgent
        }
        Decision::Allow => {
            if proxy.details == DETAILS_DENIED {
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
    if proxy.details == DETAILS_DENIED {
        contradictions
            .push("the proxy denied in the agent's name, and the agent has no record".into());
    }
    if proxy.details == DETAILS_ERROR {
        if reached {
            contradictions.push("the proxy denied and the application received the request".into());
        }
        return Outcome::FailedClosed;
    }
    match (proxy.agent_failed(), proxy.asked(), reached) {
        (true, _, true) => Outcome::FailedOpen,
        (true, _, false) => Outcome::RejectedByProxy,
        (false, true, _) => {
            if proxy.details != DETAILS_DENIED {
                contradictions
                    .push("the proxy asked the agent, and the agent has no record".into());
            }
            Outcome::Ambiguous
        }
        (false, false, true) => Outcome::NotInspected,
        (false, false, false) => Outcome::RejectedByProxy,
    }
}
