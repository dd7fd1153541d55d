//! Judges the calls of a contract by the client's word and the agent's data log, and draws the totals up.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::calls::ContractCalls;
use super::check_message::Identification;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_reconciliation;
use crate::procedure::{JudgedCall, ProcedureResults};
use harness_core::model::call_expectation::CallOutcome;
use harness_environment::polling::Polling;
use harness_verdict::judge::contract::{CallSubject, CheckedRequest, judge as judge_call};
use harness_verdict::judge::contract_round::{judge_container, judge_group, repeated_ids};
use harness_verdict::witness::call::{CallAnswer, CallKind};
use harness_verdict::witness::reconciliation::{CallSources, Reconciliation};

/// Judges every call, and draws the totals up.
pub(super) async fn judge(
    all: ContractCalls,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let answers = all.answers();
    settle(&all, &answers, deployment).await?;
    let recorded = deployment
        .collected(|collected| collected.agent.by_id())
        .await?;
    let mut outcomes = Vec::new();
    let mut nameless = 0;
    for (call, expect) in &all.calls {
        let (Some(record), Some(answer)) = (
            all.records.get(call.id.as_str()),
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
    for (group, position) in &all.groups {
        results.absorb(judge_group(group, *position));
    }
    let timeline = deployment.pod().timeline();
    results.findings.extend(judge_container(&timeline));
    let known_ids = deployment.ids.sent();
    let planned = all.calls.len() as u64;
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
                sent: all.sent,
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
    all: &ContractCalls,
    answers: &BTreeMap<String, CallAnswer>,
    deployment: &Deployment,
) -> Result<(), ProcedureError> {
    let owed: Vec<&str> = all
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
            .collected(|collected| owed.iter().all(|id| collected.agent.has(id)))
            .await?;
        if is_settled {
            break;
        }
    }
    Ok(())
}
