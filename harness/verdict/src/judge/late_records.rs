//! Judges what witnesses say at the pod's end against what they had said when each request was judged.

use super::judged::JudgedCall;
use super::judged_requests::JudgedRequests;
use crate::witness::collected::CollectedRecords;
use crate::witness::ids::IdSet;
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::outcome::Outcome;

/// What was judged.
#[derive(Clone, Copy, Debug)]
pub struct JudgedRecords<'a> {
    /// Every judged request.
    pub requests: &'a JudgedRequests,
    /// Every judged call.
    pub calls: &'a [JudgedCall],
    /// The ids of all that was sent.
    pub known_ids: &'a IdSet,
    /// How many records without an id were accounted for.
    pub nameless: usize,
}

/// Finds records that have come since their request was judged, and those of requests that were never sent.
pub fn judge_late_records(
    judged: &JudgedRecords<'_>,
    collected: &CollectedRecords,
) -> Vec<Finding> {
    let JudgedRecords {
        requests,
        calls,
        known_ids,
        nameless,
    } = *judged;
    let mut findings: Vec<Finding> = requests
        .iter()
        .filter_map(|request| {
            let id = request.id();
            let now = [
                collected.proxy.count(&id),
                collected.agent.count(&id),
                collected.upstream.count(&id),
            ];
            let judged = request.record_counts();
            let late = judged
                .into_iter()
                .zip(now)
                .map(|((witness, judged), now)| (witness, now, judged))
                // A record whose id the proxy could not read was given one when it was judged.
                .filter(|(witness, now, _)| nameless == 0 || *witness != "the proxy" || *now > 0)
                .filter(|(witness, _, _)| !may_be_late(request.outcome(), witness))
                .find(|(_, now, judged)| now != judged);
            let (witness, now, judged) = late?;
            let finding = Finding::new(
                FindingKind::LateRecord,
                Position::default(),
                format!("{witness} has said all when a request is judged"),
                format!("it had {judged} records of the request, and has {now} at the pod's end"),
            );
            Some(finding.about(request.case(), &RequestId::from_witness(id)))
        })
        .collect();
    findings.extend(calls.iter().filter_map(|call| late_call(call, collected)));
    let strangers = collected.strangers(known_ids);
    let without_id = (collected.proxy.without_id.len()
        + collected.agent.without_id.len()
        + collected.upstream.without_id.len())
    .saturating_sub(nameless);
    if !strangers.is_empty() || without_id > 0 {
        findings.push(Finding::new(
            FindingKind::LateRecord,
            Position::default(),
            "no records of requests that were never sent",
            format!("{} with unknown ids, {without_id} without", strangers.len()),
        ));
    }
    findings
}

/// Finds a call of which the agent says something else at the pod's end. It may have taken up later what the client gave up.
fn late_call(call: &JudgedCall, collected: &CollectedRecords) -> Option<Finding> {
    let id = call.record.id.as_str();
    let now = collected.agent.count(id);
    let judged = call.agent.len();
    let may_be_late = call.answer.outcome == CallOutcome::Failed && judged == 0 && now == 1;
    if now == judged || may_be_late {
        return None;
    }
    let finding = Finding::new(
        FindingKind::LateRecord,
        Position::default(),
        "the agent has said all when a call is judged",
        format!("it had {judged} records of the call, and has {now} at the pod's end"),
    );
    Some(finding.about(&call.case, &RequestId::from_witness(id)))
}

/// Returns whether a witness may have more to say after the judgement: of a request without an answer, and of one that an agent took up after
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
