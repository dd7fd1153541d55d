//! What became of a rollout's streams in total: how many requests were lost and leaked, in which phases and when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::expectation::{LeakedExpectation, LossExpectation, StreamExpectation};
use super::streams::Placed;
use crate::judge::bound::{PROVEN, Share};
use crate::judge::fleet::Fate;
use crate::judge::judged::Judged;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::stream_kind::StreamKind;

/// How many requests were lost and leaked, of how many, and in which phases.
pub(super) struct Reported {
    lost: Share,
    leaked: Share,
    lost_in: String,
    leaked_in: String,
}

impl Reported {
    pub(super) fn of(placed: &[Placed<'_>]) -> Self {
        let share = |kind: StreamKind, fate: Fate| {
            let of_kind = || placed.iter().filter(move |placed| placed.kind == kind);
            Share {
                count: of_kind().filter(|placed| placed.fate == fate).count() as u64,
                of: of_kind().count() as u64,
            }
        };
        Self {
            lost: share(StreamKind::Benign, Fate::Lost),
            leaked: share(StreamKind::Attack, Fate::Leaked),
            lost_in: phases_of(placed, Fate::Lost),
            leaked_in: phases_of(placed, Fate::Leaked),
        }
    }

    pub(super) fn observe(&self, placed: &[Placed<'_>], judged: &mut Judged) {
        let observations = &mut judged.observations;
        for (name, share) in [
            ("benign requests lost", self.lost),
            ("attacks leaked", self.leaked),
        ] {
            observations.insert(format!("{PROVEN} {name}"), share.to_string());
        }
        for (name, phases) in [
            ("lost in which phase", &self.lost_in),
            ("leaked in which phase", &self.leaked_in),
        ] {
            if !phases.is_empty() {
                observations.insert(name.into(), phases.clone());
            }
        }
        for fate in [
            Fate::Misjudged,
            Fate::TurnedAway,
            Fate::Unaccounted,
            Fate::Uninspected,
        ] {
            let phases = phases_of(placed, fate);
            if !phases.is_empty() {
                observations.insert(format!("{fate} in which phase"), phases);
            }
        }
        for (name, fate) in [
            ("window of leaks", Fate::Leaked),
            ("window of losses", Fate::Lost),
        ] {
            if let Some(window) = window_of(placed, fate) {
                observations.insert(name.into(), window);
            }
        }
    }

    pub(super) fn judge_totals(&self, expectation: &StreamExpectation, judged: &mut Judged) {
        let expected = match *expectation.lost {
            LossExpectation::Allowed => None,
            LossExpectation::None => (self.lost.count > 0)
                .then_some((FindingKind::LostRequests, "no benign request is lost")),
            LossExpectation::Some => (self.lost.count == 0).then_some((
                FindingKind::NotExercised,
                "benign requests are lost, and are seen to be",
            )),
        };
        if let Some((kind, expected)) = expected {
            let mut finding = Finding::new(
                kind,
                expectation.lost.position,
                expected,
                self.lost.to_string(),
            );
            if !self.lost_in.is_empty() {
                finding = finding.note(format!("lost in: {}", self.lost_in));
            }
            judged.findings.push(finding);
        }
        let expected = match *expectation.leaked {
            LeakedExpectation::None => (self.leaked.count > 0).then_some((
                FindingKind::LeakedAttack,
                "no attack reaches the application",
            )),
            LeakedExpectation::Some => (self.leaked.count == 0).then_some((
                FindingKind::NotExercised,
                "attacks reach the application, and are seen to",
            )),
        };
        if let Some((kind, expected)) = expected {
            let mut finding = Finding::new(
                kind,
                expectation.leaked.position,
                expected,
                self.leaked.to_string(),
            );
            if !self.leaked_in.is_empty() {
                finding = finding.note(format!("leaked in: {}", self.leaked_in));
            }
            judged.findings.push(finding);
        }
    }
}

/// Counts the requests of a fate by phase: `12 preStop running, 3 no pod, refused while connecting`.
fn phases_of(placed: &[Placed<'_>], fate: Fate) -> String {
    let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
    for placed in placed.iter().filter(|placed| placed.fate == fate) {
        *phases.entry(&placed.phase).or_default() += 1;
    }
    let parts: Vec<String> = phases
        .into_iter()
        .map(|(phase, count)| format!("{count} × {phase}"))
        .collect();
    parts.join("; ")
}

/// Says from when to when requests had a fate.
fn window_of(placed: &[Placed<'_>], fate: Fate) -> Option<String> {
    let moments = || {
        placed
            .iter()
            .filter(|placed| placed.fate == fate)
            .map(|placed| placed.request.joined.client.intended_at)
    };
    let (first, last): (Timestamp, Timestamp) = (moments().min()?, moments().max()?);
    Some(format!(
        "{} ms from the first to the last",
        last.duration_since(first).as_millis()
    ))
}
