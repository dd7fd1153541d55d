//! Ends the pod of a scenario that has passed so far, and looks once more at what its witnesses say: a record that comes late, or a second
//! one that contradicts the first, is in the logs by then.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::deployment::Deployment;
use super::error::ProcedureError;
use super::{JudgedCall, Proceedings};
use crate::model::contract::CallOutcome;
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Position;
use crate::model::outcome::Outcome;
use crate::model::timeline::LifecycleEvent;
use crate::witness::testimony::Testimony;

/// Ends the pod and compares what the witnesses have recorded by now with what was judged.
pub async fn close(
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let deleted = deployment
        .pod
        .timeline()
        .iter()
        .any(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
    if !deleted {
        deployment.pod.request_deletion().await?;
        deployment.await_gone().await?;
    }
    let known_ids = deployment.ids.sent();
    let nameless =
        usize::try_from(deployment.nameless.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    let requests = &proceedings.requests;
    let calls = &proceedings.calls;
    let findings = deployment
        .testimony(|testimony| {
            let mut findings: Vec<Finding> = requests
                .iter()
                .filter_map(|request| {
                    let id = request.planned.id.as_str();
                    let now = [
                        testimony.proxy.of(id).len(),
                        testimony.agent.of(id).len(),
                        testimony.upstream.of(id).len(),
                    ];
                    let judged = request.joined.record_counts();
                    let late = judged
                        .into_iter()
                        .zip(now)
                        .map(|((witness, judged), now)| (witness, now, judged))
                        // A record whose id the proxy could not read was given one when it was judged.
                        .filter(|(witness, now, _)| {
                            nameless == 0 || *witness != "the proxy" || *now > 0
                        })
                        .filter(|(witness, _, _)| !may_be_late(request.judgement.outcome, witness))
                        .find(|(_, now, judged)| now != judged);
                    let (witness, now, judged) = late?;
                    let finding = Finding::new(
                        "late-record",
                        Position::default(),
                        format!("{witness} has said all when a request is judged"),
                        format!(
                            "it had {judged} records of the request, and has {now} at the pod's end"
                        ),
                    );
                    Some(finding.about(&request.case, &RequestId::from_witness(id)))
                })
                .collect();
            findings.extend(calls.iter().filter_map(|call| late_call(call, testimony)));
            let strangers: BTreeSet<&str> = testimony
                .ids()
                .filter(|id| !known_ids.contains(*id))
                .collect();
            let without_id = (testimony.proxy.without_id.len()
                + testimony.agent.without_id.len()
                + testimony.upstream.without_id.len())
            .saturating_sub(nameless);
            if !strangers.is_empty() || without_id > 0 {
                findings.push(Finding::new(
                    "late-record",
                    Position::default(),
                    "no records of requests that nobody sent",
                    format!("{} with unknown ids, {without_id} without", strangers.len()),
                ));
            }
            findings
        })
        .await?;
    proceedings.findings.extend(findings);
    Ok(())
}

/// Finds a call of which the agent says something else at the pod's end. It may have taken up later what the client gave up.
fn late_call(call: &JudgedCall, testimony: &Testimony) -> Option<Finding> {
    let id = call.record.id.as_str();
    let now = testimony.agent.of(id).len();
    let judged = call.agent.len();
    let may_be_late = call.answer.outcome == CallOutcome::Failed && judged == 0 && now == 1;
    if now == judged || may_be_late {
        return None;
    }
    let finding = Finding::new(
        "late-record",
        Position::default(),
        "the agent has said all when a call is judged",
        format!("it had {judged} records of the call, and has {now} at the pod's end"),
    );
    Some(finding.about(&call.case, &RequestId::from_witness(id)))
}

/// Tells whether a witness may have more to say after the judgement: of a request without an answer, and of one that an agent took up after
/// the proxy had given up.
fn may_be_late(outcome: Outcome, witness: &str) -> bool {
    match outcome {
        Outcome::Lost | Outcome::Ambiguous => true,
        Outcome::FailedClosed | Outcome::FailedOpen => witness == "the agent",
        Outcome::Allowed
        | Outcome::AllowedAndTagged
        | Outcome::BlockedByAgent
        | Outcome::NotInspected
        | Outcome::RejectedByProxy => false,
    }
}
