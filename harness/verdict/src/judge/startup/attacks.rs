//! The attacks of a start-up: what became of each, and which of them slipped through.

use jiff::Timestamp;

use super::expectation::{AttackExpectation, Entrance, LeakExpectation};
use crate::judge::exchange::describe_witnesses;
use crate::judge::lifecycle::{first, phase_at};
use crate::witness::join::Joined;
use crate::witness::outcome::{Judgement, decide};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};

/// What became of the attacks.
#[derive(Debug)]
pub struct Attacks {
    /// The attacks by the time for which each was intended, each with its judgement.
    pub requests: Vec<(Joined, Judgement)>,
    /// Those that reached the application.
    pub leaked: Vec<Leak>,
    /// When the first that was denied was intended to be sent.
    pub first_denied: Option<Timestamp>,
}

impl Attacks {
    /// Returns how many had an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.requests
            .iter()
            .filter(|(_, judgement)| judgement.outcome == outcome)
            .count()
    }
}

/// An attack that reached the application.
#[derive(Debug)]
pub struct Leak {
    /// Its id.
    pub id: RequestId,
    /// Its outcome.
    pub outcome: Outcome,
    /// When it was intended to be sent.
    pub at: Timestamp,
    /// What each witness saw.
    pub witnesses: Vec<String>,
}

/// Judges each attack by itself, and gathers what became of them.
pub fn judge_attacks(
    expectation: &AttackExpectation<'_>,
    mut joined: Vec<Joined>,
    timeline: &[TimelineEvent],
) -> (Attacks, Vec<Finding>) {
    let mut findings = Vec::new();
    // They come in the order in which they ended: one that waited long for its connection is not a late one.
    joined.sort_by_key(|joined| joined.client.intended_at);
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    });
    let mut proxy_answered_at: Option<Timestamp> = None;
    let mut attacks = Attacks {
        requests: Vec::new(),
        leaked: Vec::new(),
        first_denied: None,
    };
    for joined in joined {
        let judgement = decide(&joined);
        let id = RequestId::from_witness(&joined.client.id);
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
                    expectation.leaks.position,
                    "an outcome on which the witnesses agree",
                    judgement.outcome,
                )
                .about(expectation.case, &id);
                finding.notes.clone_from(&judgement.reasons);
                findings.push(finding);
            }
            // Before the pod is an endpoint nothing is served; that is what a gate is for. Behind a gate an agent that the proxy cannot
            // ask, or a proxy that is gone again, means that the gate opened too early.
            Outcome::Lost | Outcome::FailedClosed | Outcome::RejectedByProxy => {
                let served = ready.is_some_and(|ready| joined.client.intended_at >= ready)
                    && (proxy_answered_at.is_some_and(|at| joined.client.intended_at >= at)
                        || judgement.outcome == Outcome::FailedClosed);
                if *expectation.leaks == LeakExpectation::None
                    && expectation.through == Entrance::Service
                    && served
                {
                    let mut finding = Finding::new(
                        FindingKind::ReadyTooEarly,
                        expectation.leaks.position,
                        "once the pod is ready every attack is denied by the agent",
                        judgement.outcome,
                    )
                    .about(expectation.case, &id)
                    .note(format!(
                        "sent {}",
                        phase_at(timeline, joined.client.intended_at)
                    ));
                    finding.notes.extend(describe_witnesses(&joined));
                    findings.push(finding);
                }
            }
        }
        if !joined.proxy.is_empty() {
            proxy_answered_at.get_or_insert(joined.client.finished_at);
        }
        attacks.requests.push((joined, judgement));
    }
    (attacks, findings)
}
