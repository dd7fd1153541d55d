//! Holds what the agent must have recorded of a request against its data log.

use std::collections::BTreeSet;

use super::exchange::Subject;
use crate::witness::agent::AgentRecord;
use crate::witness::wire::shown;
use harness_core::model::datum::Datum;
use harness_core::model::expectation::{AgentExpectation, Expectation, PEER};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;

/// Holds what the agent must have recorded against its record. `peer` is the address from which the request came, by the proxy's word.
pub(super) fn judge_agent(
    expect: &AgentExpectation,
    agent: Option<&AgentRecord>,
    peer: Option<&str>,
    implied: Position,
) -> Vec<Finding> {
    let Some(agent) = agent else {
        return vec![Finding::new(
            FindingKind::AgentRecord,
            implied,
            data_log_lines(1),
            data_log_lines(0),
        )];
    };
    let mut findings = Vec::new();
    let expected: BTreeSet<&str> = expect.signals.iter().map(|name| name.as_str()).collect();
    let raised: BTreeSet<&str> = agent.signals.iter().map(String::as_str).collect();
    if let Some(first) = expect.signals.first()
        && !expected.is_subset(&raised)
    {
        findings.push(Finding::new(
            FindingKind::AgentSignals,
            first.position,
            Datum::names(expected),
            Datum::names(&agent.signals),
        ));
    }
    let only: BTreeSet<&str> = expect
        .signals_only
        .iter()
        .map(|name| name.as_str())
        .collect();
    if let Some(first) = expect.signals_only.first()
        && only != raised
    {
        findings.push(Finding::new(
            FindingKind::AgentSignals,
            first.position,
            Datum::names(only),
            Datum::names(&agent.signals),
        ));
    }
    let expected: BTreeSet<&str> = expect.locations.iter().map(|name| name.as_str()).collect();
    let stood: BTreeSet<&str> = agent.locations.iter().map(String::as_str).collect();
    if let Some(first) = expect.locations.first()
        && expected != stood
    {
        findings.push(Finding::new(
            FindingKind::AgentLocations,
            first.position,
            Datum::names(expected),
            Datum::names(&agent.locations),
        ));
    }
    for (kind, expected, observed) in [
        (FindingKind::AgentDecision, &expect.decision, agent.decision),
        (
            FindingKind::AgentResponseCode,
            &expect.response_code,
            agent.response_code,
        ),
    ] {
        if let Some(expected) = expected
            && **expected != observed
        {
            findings.push(Finding::new(
                kind,
                expected.position,
                Datum::code(**expected),
                Datum::code(observed),
            ));
        }
    }
    if let Some(expected) = &expect.client_address {
        let wanted = match expected.as_str() {
            PEER => peer.unwrap_or("the peer's address, which the proxy does not log"),
            address => address,
        };
        if agent.client_address != wanted {
            findings.push(Finding::new(
                FindingKind::AgentClientAddress,
                expected.position,
                wanted,
                &*agent.client_address,
            ));
        }
    }
    findings
}

/// Checks that the agent decided about the request that was sent.
pub(super) fn judge_what_the_agent_saw(
    subject: &Subject<'_>,
    expect: &Expectation,
) -> Vec<Finding> {
    let joined = subject.joined;
    let (seen_method, seen_path) = match (joined.agent.first(), shown(&joined.wire)) {
        (Some(agent), _) => (&agent.method, agent.path.as_str()),
        (None, Some(shown)) => (&shown.method, path_of(&shown.path)),
        (None, None) => return Vec::new(),
    };
    let planned = subject.planned;
    let sent_path = path_of(&planned.target);
    let changed = expect.agent.as_ref().and_then(|agent| agent.path.as_ref());
    let (path, position) = match changed {
        Some(path) => (path.as_str(), path.position),
        None => (sent_path, Position::default()),
    };
    [
        (
            FindingKind::AgentMethod,
            planned.method.as_str(),
            seen_method.as_str(),
            Position::default(),
        ),
        (FindingKind::AgentPath, path, seen_path, position),
    ]
    .into_iter()
    .filter(|(_, wanted, seen, _)| wanted != seen)
    .map(|(kind, wanted, seen, position)| Finding::new(kind, position, wanted, seen))
    .collect()
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Makes a number of lines in the agent's data log.
pub(super) fn data_log_lines(count: usize) -> Datum {
    Datum::counted(
        count,
        [
            "line in the agent's data log",
            "lines in the agent's data log",
        ],
    )
}
