//! Judges what holds for the calls of a contract all together: those that were to be open at the same time, ids, and the agent's container.

use std::collections::BTreeMap;

use super::contract::CORRELATION_HEADERS;
use super::judged::{Judged, JudgedCall};
use super::lifecycle::{exit_after, render};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::timeline::TimelineEvent;
use harness_core::stack::AGENT_CONTAINER;
use harness_traffic::contract::record::GroupRecord;

/// Checks that the calls of a group were open at the same time, and reports how many were.
pub fn judge_group(group: &GroupRecord, position: Position) -> Judged {
    let mut judged = Judged::default();
    let limit = group
        .stream_limit
        .map_or_else(|| "none".into(), |limit| limit.to_string());
    let seen = format!(
        "{} of {} calls open at the same time; the agent's limit of streams: {limit}",
        group.most_open, group.calls
    );
    if group.most_open < group.calls {
        judged.findings.push(Finding {
            case: Some(group.group.clone()),
            ..Finding::new(
                FindingKind::ConcurrentCalls,
                position,
                format!(
                    "{} calls open at the same time on one connection",
                    group.calls
                ),
                &*seen,
            )
        });
    }
    judged.observe(&group.group, seen);
    judged
}

/// Checks that no two requests were given the same id by the agent: it would give one the response of the other.
pub fn repeated_ids(calls: &[JudgedCall]) -> Vec<Finding> {
    let mut seen: BTreeMap<&str, &JudgedCall> = BTreeMap::new();
    let mut findings = Vec::new();
    for call in calls {
        for value in call.answer.header_values(CORRELATION_HEADERS[0]) {
            if let Some(first) = seen.insert(value, call) {
                let finding = Finding::new(
                    FindingKind::CorrelationHeader,
                    Position::default(),
                    format!("another {} for each request", CORRELATION_HEADERS[0]),
                    format!("`{value}` was given to {} too", first.record.id),
                );
                findings.push(finding.about(
                    &call.case,
                    &RequestId::from_witness(call.record.id.as_str()),
                ));
            }
        }
    }
    findings
}

/// Checks that the agent's container has run through.
pub fn judge_container(timeline: &[TimelineEvent]) -> Option<Finding> {
    let status = exit_after(timeline, AGENT_CONTAINER)?;
    Some(
        Finding::new(
            FindingKind::AgentExited,
            Position::default(),
            "the agent runs from the first call to the last",
            format!(
                "it ended with exit code {}",
                status.as_container_exit_code()
            ),
        )
        .note(render(timeline, Some(AGENT_CONTAINER))),
    )
}
