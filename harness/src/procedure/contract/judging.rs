//! Judges the calls of a contract by the client's word and the agent's data log, and draws the books up.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::check_message::Identification;
use super::course::Course;
use crate::judge::contract::{
    CORRELATION_HEADERS, CallSubject, CheckedRequest, judge as judge_call,
};
use crate::judge::lifecycle::{exit_after, render};
use crate::looks::Looks;
use crate::model::contract::CallOutcome;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Position;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_books;
use crate::procedure::{JudgedCall, Proceedings};
use crate::stack::AGENT_CONTAINER;
use crate::witness::books::{Books, CallSources};
use crate::witness::call::{CallAnswer, CallKind};

/// Judges every call, and draws the books up.
pub(super) async fn judge(
    course: Course,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let answers = course.answers();
    settle(&course, &answers, deployment).await?;
    let recorded = deployment
        .testimony(|testimony| testimony.agent.by_id.clone())
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
        proceedings.findings.extend(judge_call(&subject, expect));
        proceedings.calls.push(JudgedCall {
            case: call.case.clone(),
            kind: call.kind,
            record: record.clone(),
            answer: answer.clone(),
            agent,
        });
    }
    proceedings
        .findings
        .extend(repeated_ids(&proceedings.calls));
    judge_groups(&course, proceedings);
    proceedings.findings.extend(judge_container(deployment));
    let known_ids = deployment.ids.sent();
    let planned = course.calls.len() as u64;
    let seen_without_id = deployment
        .testimony(|testimony| testimony.agent.without_id.len() as u64)
        .await?;
    deployment
        .nameless
        .fetch_add(seen_without_id.min(nameless), Ordering::Relaxed);
    let books = deployment
        .testimony(|testimony| {
            Books::of_calls(&CallSources {
                planned,
                sent: course.sent,
                outcomes: &outcomes,
                nameless,
                known_ids: &known_ids,
                testimony,
            })
        })
        .await?;
    record_books(books, proceedings);
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
    let mut looks = Looks::within(budget.as_duration(), POLL_INTERVAL);
    while looks.next().await {
        let is_settled = deployment
            .testimony(|testimony| owed.iter().all(|id| !testimony.agent.of(id).is_empty()))
            .await?;
        if is_settled {
            break;
        }
    }
    Ok(())
}

fn judge_groups(course: &Course, proceedings: &mut Proceedings) {
    for (group, position) in &course.groups {
        let limit = group
            .stream_limit
            .map_or_else(|| "none".into(), |limit| limit.to_string());
        let seen = format!(
            "{} of {} calls open at the same time; the agent's limit of streams: {limit}",
            group.most_open, group.calls
        );
        if group.most_open < group.calls {
            proceedings.findings.push(Finding {
                case: Some(group.group.clone()),
                ..Finding::new(
                    "calls-at-once",
                    *position,
                    format!(
                        "{} calls open at the same time on one connection",
                        group.calls
                    ),
                    &*seen,
                )
            });
        }
        proceedings.observations.insert(group.group.clone(), seen);
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
                    "correlation-header",
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
    let timeline = deployment.pod.timeline();
    let status = exit_after(&timeline, AGENT_CONTAINER)?;
    Some(
        Finding::new(
            "agent-container",
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
