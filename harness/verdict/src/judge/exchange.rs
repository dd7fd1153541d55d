//! Holds one request's expectation against what its witnesses saw.

use super::agent_record::{judge_agent, judge_what_the_agent_saw};
use super::header_fields::{missing_header, present_header};
use super::redirect_chain::{judge_redirect_chain, judge_stream};
use super::upstream::{judge_correlation, judge_upstream};
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use crate::witness::wire::{self, AgentLog};
use harness_core::model::datum::{Body, Datum};
use harness_core::model::digest::sha256;
use harness_core::model::expectation::{
    ClientExpectation, Expectation, ProxyExpectation, UpgradeOutcome,
};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Located;
use harness_traffic::plan::PlannedRequest;
use harness_traffic::record::{ClientResult, ResponseRecord};

/// Header names that belong to the agent: none may reach a client.
///
/// Source: "X-SigSci headers" of the vendor's documentation ("end users cannot see them").
pub(super) const AGENT_HEADERS: &str = "x-sigsci-*";

/// One request with everything that its judgement needs.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The case, as findings name it.
    pub case: &'a str,
    /// What was sent.
    pub planned: &'a PlannedRequest,
    /// SHA-256 of the body that was sent, lower-case hex.
    pub body_sha256: &'a str,
    /// What the witnesses saw.
    pub joined: &'a Joined,
    /// What it adds up to.
    pub judgement: &'a Judgement,
}

/// Names everything in which a request differs from its expectation. An outcome that differs is named alone: the rest follows from it.
pub fn judge(subject: &Subject<'_>, expect: &Expectation) -> Vec<Finding> {
    let id = RequestId::from_witness(&subject.planned.id);
    let mut findings = Vec::new();
    if subject.judgement.outcome == *expect.outcome {
        let response = match &subject.joined.client.result {
            ClientResult::Response(response) => Some(response),
            ClientResult::Failed(_) => None,
        };
        if let Some(response) = response {
            let absent = Located::unwritten(AGENT_HEADERS.to_owned());
            findings.extend(present_header(
                FindingKind::ClientHeader,
                &absent,
                &response.headers,
            ));
            if response.extra_responses > 0 {
                findings.push(Finding::new(
                    FindingKind::SmuggledRequest,
                    expect.outcome.position,
                    responses(1),
                    responses(1 + response.extra_responses as usize),
                ));
            }
        }
        if let (Some(client), Some(response)) = (&expect.client, response) {
            findings.extend(judge_client(client, response));
        }
        if let Some(proxy) = &expect.proxy {
            findings.extend(judge_proxy(proxy, subject.joined));
        }
        if let Some(agent) = &expect.agent {
            let joined = subject.joined;
            let peer = joined.proxy.first();
            let peer = peer.and_then(|proxy| proxy.peer_address.as_deref());
            let position = expect.outcome.position;
            findings.extend(match (joined.agent.first(), joined.agent_log) {
                // What only its log could show is not judged: the outcome rests on what it answered.
                (None, AgentLog::Absent) => Vec::new(),
                (logged, _) => judge_agent(agent, logged, peer, position),
            });
        }
        if let (Some(stream), Some(response)) = (
            expect
                .client
                .as_ref()
                .and_then(|client| client.streamed.as_ref()),
            response,
        ) {
            let elapsed = subject.joined.client.elapsed_microseconds;
            findings.extend(judge_stream(stream, response, elapsed));
        }
        findings.extend(judge_redirect_chain(expect, subject.joined));
        findings.extend(judge_what_the_agent_saw(subject, expect));
        for upstream in &subject.joined.upstream {
            findings.extend(judge_correlation(upstream, subject.joined));
            findings.extend(judge_upstream(expect.upstream.as_ref(), upstream, subject));
        }
    } else {
        findings.push(outcome_finding(subject, expect));
    }
    findings
        .into_iter()
        .map(|finding| finding.about(subject.case, &id))
        .collect()
}

fn outcome_finding(subject: &Subject<'_>, expect: &Expectation) -> Finding {
    let mut finding = Finding::new(
        FindingKind::Outcome,
        expect.outcome.position,
        *expect.outcome,
        subject.judgement.outcome,
    );
    finding.notes.clone_from(&subject.judgement.reasons);
    finding.notes.extend(describe_witnesses(subject.joined));
    finding
}

/// Says in one line each what the witnesses saw.
pub fn describe_witnesses(joined: &Joined) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(match &joined.client.result {
        ClientResult::Response(response) => format!("client: {}", response.status),
        ClientResult::Failed(failure) => {
            format!("client: {:?} during {:?}", failure.cause, failure.phase)
        }
    });
    match joined.proxy.first() {
        Some(proxy) => lines.push(format!(
            "proxy: {} {}{}{}",
            proxy.status,
            proxy.details,
            if proxy.flags.is_empty() {
                String::new()
            } else {
                format!(" flags {}", proxy.flags.join(","))
            },
            match proxy.authorization_microseconds {
                Some(waited) => format!(", asked the agent and waited {waited} µs"),
                None => ", did not ask the agent".into(),
            }
        )),
        None => lines.push("proxy: no record".into()),
    }
    match joined.agent.first() {
        Some(agent) => lines.push(format!(
            "agent: decided {} with signals [{}]",
            agent.decision,
            agent.signals.join(", ")
        )),
        None => lines.push(
            match joined.agent_log {
                AgentLog::Absent => "agent: keeps no data log",
                AgentLog::Kept => "agent: no record",
            }
            .into(),
        ),
    }
    lines.extend(wire::describe(&joined.wire));
    match joined.upstream.first() {
        Some(upstream) => lines.push(format!(
            "application: {} {}",
            upstream.method, upstream.target
        )),
        None => lines.push("application: no record".into()),
    }
    lines
}

/// Holds what a client must have received against an answer.
pub fn judge_client(expect: &ClientExpectation, response: &ResponseRecord) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(status) = &expect.status
        && **status != response.status
    {
        findings.push(Finding::new(
            FindingKind::ClientStatus,
            status.position,
            Datum::HttpStatus(**status),
            Datum::HttpStatus(response.status),
        ));
    }
    for field in &expect.headers {
        findings.extend(missing_header(
            FindingKind::ClientHeader,
            field,
            &response.headers,
        ));
    }
    for name in &expect.absent_headers {
        findings.extend(present_header(
            FindingKind::ClientHeader,
            name,
            &response.headers,
        ));
    }
    for field in &expect.trailers {
        findings.extend(missing_header(
            FindingKind::ClientTrailer,
            field,
            &response.trailers,
        ));
    }
    if let Some(upgraded) = &expect.upgraded
        && Some(**upgraded) != response.upgraded
    {
        findings.push(Finding::new(
            FindingKind::Upgrade,
            upgraded.position,
            upgraded.as_str(),
            response
                .upgraded
                .map_or("no upgrade", UpgradeOutcome::as_str),
        ));
    }
    if let Some(body) = &expect.body {
        let expected = sha256(body.as_bytes());
        if expected != response.body_sha256 {
            findings.push(Finding::new(
                FindingKind::ClientBody,
                body.position,
                Datum::Body(Body {
                    length: Some(body.len() as u64),
                    sha256: expected,
                }),
                Datum::Body(Body {
                    length: Some(response.body_length),
                    sha256: response.body_sha256.clone(),
                }),
            ));
        }
    }
    findings
}

fn judge_proxy(expect: &ProxyExpectation, joined: &Joined) -> Vec<Finding> {
    let Some(proxy) = joined.proxy.first() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if let Some(details) = &expect.details
        && **details != proxy.details
    {
        findings.push(Finding::new(
            FindingKind::ProxyDetails,
            details.position,
            details.as_str(),
            &*proxy.details,
        ));
    }
    if let Some(asked) = &expect.asked
        && **asked != proxy.asked()
    {
        let words = |asked| {
            if asked {
                "the proxy asks the agent"
            } else {
                "the proxy does not ask the agent"
            }
        };
        findings.push(Finding::new(
            FindingKind::ProxyAsked,
            asked.position,
            words(**asked),
            words(proxy.asked()),
        ));
    }
    if let Some(flag) = &expect.flag
        && !proxy.flags.contains(flag)
    {
        findings.push(Finding::new(
            FindingKind::ProxyFlag,
            flag.position,
            flag.as_str(),
            Datum::names(&proxy.flags),
        ));
    }
    findings
}

fn responses(count: usize) -> Datum {
    Datum::counted(count, ["response", "responses"])
}
