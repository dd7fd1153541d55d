//! Judges the calls of a contract by the client's word and the agent's data log, and draws the totals up.

use harness_core::model::finding_kind::FindingKind;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::check_message::Identification;
use super::course::Course;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_reconciliation;
use crate::procedure::{JudgedCall, ProcedureResults};
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::polling::Polling;
use harness_verdict::judge::contract::{
    CORRELATION_HEADERS, CallSubject, CheckedRequest, judge as judge_call,
};
use harness_verdict::judge::lifecycle::{exit_after, render};
use harness_verdict::witness::call::{CallAnswer, CallKind};
use harness_verdict::witness::reconciliation::{CallSources, Reconciliation};

/// Judges every call, and draws the totals up.
pub(super) async fn judge(
    course: Course,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let answers = course.answers();
    settle(&course, &answers, deployment).await?;
    let recorded = deployment
        .collected(|collected| collected.agent.by_id.clone())
        .await?;
    let mut outcomes = Vec::new();
    let mut nameless = 0;
    for (call, expect) in &course.calls {
        let (Some(record), Some(answer)) = (
            course.records.get(call.id.as_str()),
            answers.get(call.id.as_str()),
        ) else {
            continue;
        };
        outcomes.push(answer.outcome);
        let request = match (call.kind, call.identification) {
            (CallKind::Check, Identification::Identified) => Some(CheckedRequest {
                method: &call.method,
                path: &call.path,
            }),
            (CallKind::Check, Identification::Nameless) => {
                nameless += 1;
                None
            }
            (CallKind::AccessLog | CallKind::Health, _) => None,
        };
        let agent = recorded.get(call.id.as_str()).cloned().unwrap_or_default();
        let subject = CallSubject {
            case: &call.case,
            id: &call.id,
            kind: call.kind,
            request,
            answer,
            agent: &agent,
        };
        results.findings.extend(judge_call(&subject, expect));
        results.calls.push(JudgedCall {
            case: call.case.clone(),
            kind: call.kind,
            record: record.clone(),
            answer: answer.clone(),
            agent,
        });
    }
    results.findings.extend(repeated_ids(&results.calls));
    judge_groups(&course, results);
    results.findings.extend(judge_container(deployment));
    let known_ids = deployment.ids.sent();
    let planned = course.calls.len() as u64;
    let seen_without_id = deployment
        .collected(|collected| collected.agent.without_id.len() as u64)
        .await?;
    deployment
        .nameless
        .fetch_add(seen_without_id.min(nameless), Ordering::Relaxed);
    let reconciliation = deployment
        .collected(|collected| {
            Reconciliation::of_calls(&CallSources {
                planned,
                sent: course.sent,
                outcomes: &outcomes,
                nameless,
                known_ids: &known_ids,
                collected,
            })
        })
        .await?;
    record_reconciliation(reconciliation, results);
    Ok(())
}

/// Waits until the agent's data log has a line for every check that it owes one.
async fn settle(
    course: &Course,
    answers: &BTreeMap<String, CallAnswer>,
    deployment: &Deployment,
) -> Result<(), ProcedureError> {
    let owed: Vec<&str> = course
        .calls
        .iter()
        .filter(|(call, _)| {
            call.kind == CallKind::Check && call.identification == Identification::Identified
        })
        .filter(|(call, _)| {
            answers.get(call.id.as_str()).is_some_and(|answer| {
                matches!(answer.outcome, CallOutcome::Allowed | CallOutcome::Blocked)
            })
        })
        .map(|(call, _)| call.id.as_str())
        .collect();
    let budget = deployment.timeouts.witnesses_settled;
    let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        let is_settled = deployment
            .collected(|collected| owed.iter().all(|id| !collected.agent.of(id).is_empty()))
            .await?;
        if is_settled {
            break;
        }
    }
    Ok(())
}

fn judge_groups(course: &Course, results: &mut ProcedureResults) {
    for (group, position) in &course.groups {
        let limit = group
            .stream_limit
            .map_or_else(|| "none".into(), |limit| limit.to_string());
        let seen = format!(
            "{} of {} calls open at the same time; the agent's limit of streams: {limit}",
            group.most_open, group.calls
        );
        if group.most_open < group.calls {
            results.findings.push(Finding {
                case: Some(group.group.clone()),
                ..Finding::new(
                    FindingKind::ConcurrentCalls,
                    *position,
                    format!(
                        "{} calls open at the same time on one connection",
                        group.calls
                    ),
                    &*seen,
                )
            });
        }
        results.observations.insert(group.group.clone(), seen);
    }
}

/// Checks that no two requests were given the same id by the agent: it would give one the response of the other.
fn repeated_ids(calls: &[JudgedCall]) -> Vec<Finding> {
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
fn judge_container(deployment: &Deployment) -> Option<Finding> {
    let timeline = deployment.pod().timeline();
    let status = exit_after(&timeline, AGENT_CONTAINER)?;
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
        .note(render(&timeline, Some(AGENT_CONTAINER))),
    )
}
