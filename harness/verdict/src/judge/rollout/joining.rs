//! Judges the pods that join a fleet by the attacks that were sent straight to each: since when it enforces, and since when it is an endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::judge::fleet::{Fate, PodPhase, end_without_pod, moment_of};
use crate::judge::lifecycle::{first, render};
use crate::witness::fleet::{FleetJoined, Holder};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_traffic::record::{ClientRecord, ClientResult};

/// Returns whether a client was denied: neither served nor answered that something does not work.
pub fn is_denied(record: &ClientRecord) -> bool {
    match &record.result {
        ClientResult::Response(response) => (300..500).contains(&response.status),
        ClientResult::Failed(_) => false,
    }
}

/// Checks that pods joined at all.
pub fn judge_presence(pods: usize, position: Position) -> Option<Finding> {
    (pods == 0).then(|| {
        Finding::new(
            FindingKind::NotExercised,
            position,
            "pods join the fleet",
            "none did: nothing was tested",
        )
    })
}

/// Since when a pod enforces, and since when it is an endpoint.
#[derive(Debug)]
pub struct Joining {
    first_denied: Option<Timestamp>,
    ready: Option<Timestamp>,
    /// When the first attack on it was sent.
    first_sent: Option<Timestamp>,
    /// The last attack on it.
    last: Option<String>,
    /// Attacks that were sent to the ready pod and got through.
    through_when_ready: Vec<String>,
    /// What became of the attacks, and where.
    pub fates: String,
}

impl Joining {
    /// Reads it from the attacks that were sent straight to the pod and from the pod's timeline.
    pub fn of(joined: &[FleetJoined], timeline: &[TimelineEvent]) -> Self {
        let ready = first(timeline, None, |event| {
            matches!(event, LifecycleEvent::PodReady)
        });
        let sent_at = |joined: &FleetJoined| joined.joined.client.sent_at;
        let intended_at = |joined: &&FleetJoined| joined.joined.client.intended_at;
        let last = joined.iter().max_by_key(intended_at);
        Self {
            fates: fates(joined, timeline),
            ready,
            first_sent: joined
                .iter()
                .map(|joined| &joined.joined.client)
                .map(|client| client.sent_at.unwrap_or(client.finished_at))
                .min(),
            last: last.map(|joined| joined.joined.client.id.clone()),
            first_denied: joined
                .iter()
                .filter(|joined| is_denied(&joined.joined.client))
                .filter(|joined| fate(joined) == Fate::AsUsual)
                .filter_map(sent_at)
                .min(),
            through_when_ready: joined
                .iter()
                .filter(|joined| fate(joined) == Fate::Leaked)
                .filter(|joined| ready.is_some_and(|ready| sent_at(joined) >= Some(ready)))
                .map(|joined| joined.joined.client.id.clone())
                .collect(),
        }
    }

    /// Returns by how much the first attack on the pod came after its readiness: whether such a pod enforced first is unknown.
    pub fn met_too_late(&self) -> Option<Duration> {
        let (sent, ready) = (self.first_sent?, self.ready?);
        (sent >= ready).then(|| sent.duration_since(ready).unsigned_abs())
    }

    /// Says in a few words when the pod came to enforce.
    pub fn describe(&self) -> String {
        match (self.first_denied, self.ready) {
            (Some(denied), Some(ready)) => {
                let ahead = ready.duration_since(denied).as_millis();
                if ahead >= 0 {
                    format!("an attack was first denied {ahead} ms before the pod was ready")
                } else {
                    format!(
                        "it was ready {} ms before the first attack that came to it was denied",
                        -ahead
                    )
                }
            }
            (Some(_), None) => "attacks were denied, and it was never ready".into(),
            (None, _) => "no attack was denied".into(),
        }
    }

    /// Holds since when the pod enforces against when it was ready.
    pub fn judge(
        &self,
        pod: &str,
        position: Position,
        timeline: &[TimelineEvent],
    ) -> Option<Finding> {
        let finding = self.difference(pod, position)?;
        Some(
            finding
                .note(format!("attacks sent straight to it: {}", self.fates))
                .note(render(timeline, None)),
        )
    }

    fn difference(&self, pod: &str, position: Position) -> Option<Finding> {
        let expected = format!("`{pod}` denies attacks before it is ready");
        if let Some(id) = self.through_when_ready.first() {
            let observed = format!(
                "{} attacks that were sent to the ready pod got through",
                self.through_when_ready.len()
            );
            let finding =
                Finding::new(FindingKind::NewPodEnforcement, position, expected, observed);
            return Some(finding.about("straight-to-pod", &RequestId::from_witness(id)));
        }
        if self.first_denied.is_some() && self.ready.is_some() {
            return None;
        }
        let finding = Finding::new(
            FindingKind::NewPodEnforcement,
            position,
            expected,
            self.describe(),
        );
        Some(match &self.last {
            Some(id) => finding.about("straight-to-pod", &RequestId::from_witness(id)),
            None => finding,
        })
    }
}

/// Counts the attacks by what became of them, and where: `31 × turned away, no pod, refused while connecting`.
fn fates(joined: &[FleetJoined], timeline: &[TimelineEvent]) -> String {
    let mut counts: BTreeMap<(Fate, String), u64> = BTreeMap::new();
    for joined in joined {
        let client = &joined.joined.client;
        let place = match &joined.holder {
            Holder::None => end_without_pod(client),
            Holder::Pod(_) | Holder::Several(_) => {
                PodPhase::at(timeline, moment_of(client)).to_string()
            }
        };
        *counts.entry((fate(joined), place)).or_default() += 1;
    }
    if counts.is_empty() {
        return "none was sent".into();
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|((fate, place), count)| format!("{count} × {fate}, {place}"))
        .collect();
    parts.join("; ")
}

fn fate(joined: &FleetJoined) -> Fate {
    Fate::of(StreamKind::Attack, &joined.joined, joined.decide().outcome)
}

#[cfg(test)]
#[path = "joining_tests.rs"]
mod tests;
