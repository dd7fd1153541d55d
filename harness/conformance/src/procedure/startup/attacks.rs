//! The attacks of a start-up: what became of each, and which of them slipped through.

use harness_core::model::finding_kind::FindingKind;
use jiff::Timestamp;

use super::carry_out::CASE;
use crate::procedure::startup::Entrance;
use crate::procedure::startup::LeakExpectation;
use crate::procedure::startup::StartupSpec;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_traffic::plan::PlannedRequest;
use harness_verdict::judge::exchange::describe_witnesses;
use harness_verdict::judge::lifecycle::{first, phase_at};
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::decide;

/// What became of the attacks.
pub(super) struct Attacks {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) leaked: Vec<Leak>,
    pub(super) first_denied: Option<Timestamp>,
}

/// An attack that reached the application.
pub(super) struct Leak {
    pub(super) id: RequestId,
    pub(super) outcome: Outcome,
    pub(super) at: Timestamp,
    pub(super) witnesses: Vec<String>,
}

/// Judges each attack by itself, and gathers what became of them.
pub(super) fn judge_attacks(
    spec: &StartupSpec,
    mut joined: Vec<Joined>,
    planned: &PlannedRequest,
    timeline: &[TimelineEvent],
    results: &mut ProcedureResults,
) -> Attacks {
    // They come in the order in which they ended: one that waited long for its connection is not a late one.
    joined.sort_by_key(|joined| joined.client.intended_at);
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    });
    let mut proxy_answered_at: Option<Timestamp> = None;
    let mut attacks = Attacks {
        outcomes: Vec::new(),
        leaked: Vec::new(),
        first_denied: None,
    };
    for joined in joined {
        let judgement = decide(&joined);
        let id = RequestId::from_witness(&joined.client.id);
        attacks.outcomes.push(judgement.outcome);
        match judgement.outcome {
            Outcome::BlockedByAgent => {
                attacks
                    .first_denied
                    .get_or_insert(joined.client.intended_at);
            }
            Outcome::Allowed
            | Outcome::AllowedAndTagged
            | Outcome::FailedOpen
            | Outcome::NotInspected => attacks.leaked.push(Leak {
                id,
                outcome: judgement.outcome,
                at: joined.client.intended_at,
                witnesses: describe_witnesses(&joined),
            }),
            Outcome::Ambiguous => {
                let mut finding = Finding::new(
                    FindingKind::Outcome,
                    spec.leaks.position,
                    "an outcome on which the witnesses agree",
                    judgement.outcome,
                )
                .about(CASE, &id);
                finding.notes.clone_from(&judgement.reasons);
                results.findings.push(finding);
            }
            // Before the pod is an endpoint nothing is served; that is what a gate is for. Behind a gate an agent that the proxy cannot
            // ask, or a proxy that is gone again, means that the gate opened too early.
            Outcome::Lost | Outcome::FailedClosed | Outcome::RejectedByProxy => {
                let served = ready.is_some_and(|ready| joined.client.intended_at >= ready)
                    && (proxy_answered_at.is_some_and(|at| joined.client.intended_at >= at)
                        || judgement.outcome == Outcome::FailedClosed);
                if *spec.leaks == LeakExpectation::None
                    && spec.through == Entrance::Service
                    && served
                {
                    let mut finding = Finding::new(
                        FindingKind::ReadyTooEarly,
                        spec.leaks.position,
                        "once the pod is ready every attack is denied by the agent",
                        judgement.outcome,
                    )
                    .about(CASE, &id)
                    .note(format!(
                        "sent {}",
                        phase_at(timeline, joined.client.intended_at)
                    ));
                    finding.notes.extend(describe_witnesses(&joined));
                    results.findings.push(finding);
                }
            }
        }
        if !joined.proxy.is_empty() {
            proxy_answered_at.get_or_insert(joined.client.finished_at);
        }
        results
            .requests
            .push(JudgedRequest::new(CASE, planned, joined, judgement));
    }
    attacks
}
