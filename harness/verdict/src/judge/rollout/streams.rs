//! Judges the streams of a rollout: what was lost, what was leaked, in which phase of whose life, and what the counts prove.

use std::collections::BTreeMap;

use super::expectation::{LeakedExpectation, LossExpectation, StreamExpectation};
use super::totals::Reported;
use crate::judge::exchange::describe_witnesses;
use crate::judge::fleet::{Fate, PodPhase, end_without_pod, may_lack_records, moment_of};
use crate::judge::judged::Judged;
use crate::judge::lifecycle::{phase_at, place_in_time};
use crate::witness::fleet::FleetJoined;
use crate::witness::outcome::Judgement;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::TimelineEvent;

/// The most requests of one fate that have a finding of their own; the totals have all.
const MOST_OF_A_FATE: usize = 10;

/// The timelines of all pods, by name.
pub type Timelines = BTreeMap<String, Vec<TimelineEvent>>;

/// A request of one of the two streams.
#[derive(Clone, Copy, Debug)]
pub struct StreamRequest<'a> {
    /// Which of the two.
    pub kind: StreamKind,
    /// The case that it belongs to.
    pub case: &'a str,
    /// What the witnesses of the whole fleet saw of it.
    pub request: &'a FleetJoined,
}

/// A request with what became of it.
pub(super) struct Placed<'a> {
    pub(super) request: &'a FleetJoined,
    judgement: Judgement,
    pub(super) kind: StreamKind,
    case: &'a str,
    pub(super) fate: Fate,
    /// The phase of the pod that had it, or how it ended without one.
    pub(super) phase: String,
}

/// Judges every request of both streams. The judgements are in the order of the requests.
pub fn judge_streams(
    expectation: &StreamExpectation,
    requests: &[StreamRequest<'_>],
    timelines: &Timelines,
) -> (Judged, Vec<Judgement>) {
    let placed: Vec<Placed<'_>> = requests
        .iter()
        .map(|request| place(*request, timelines))
        .collect();
    let reported = Reported::of(&placed);
    let mut judged = Judged::default();
    reported.observe(&placed, &mut judged);
    reported.judge_totals(expectation, &mut judged);
    judge_each(expectation, &placed, timelines, &mut judged);
    let judgements = placed.into_iter().map(|placed| placed.judgement).collect();
    (judged, judgements)
}

fn place<'a>(stream: StreamRequest<'a>, timelines: &Timelines) -> Placed<'a> {
    let request = stream.request;
    let judgement = request.decide();
    let client = &request.joined.client;
    let phase = match request.pod().and_then(|pod| timelines.get(pod)) {
        Some(timeline) => PodPhase::at(timeline, moment_of(client)).to_string(),
        None => end_without_pod(client),
    };
    Placed {
        fate: Fate::of(stream.kind, &request.joined, judgement.outcome),
        request,
        judgement,
        kind: stream.kind,
        case: stream.case,
        phase,
    }
}

/// Gives requests that did not fare as they had to a finding each, so far as there are not too many.
fn judge_each(
    expectation: &StreamExpectation,
    placed: &[Placed<'_>],
    timelines: &Timelines,
    judged: &mut Judged,
) {
    let mut found: BTreeMap<Fate, usize> = BTreeMap::new();
    for placed in placed {
        let Some((expected, position)) = complaint(expectation, placed, timelines) else {
            continue;
        };
        let count = found.entry(placed.fate).or_default();
        *count += 1;
        if *count > MOST_OF_A_FATE {
            continue;
        }
        let client = &placed.request.joined.client;
        let observed = format!(
            "{}: {} ({})",
            placed.fate, placed.phase, placed.judgement.outcome
        );
        let finding = Finding::new(FindingKind::RolloutRequest, position, expected, observed)
            .about(placed.case, &RequestId::from_witness(&client.id));
        judged.findings.push(explain(finding, placed, timelines));
    }
    for (fate, count) in found {
        if count > MOST_OF_A_FATE {
            judged.observations.insert(
                format!("requests {fate} without a finding of their own"),
                (count - MOST_OF_A_FATE).to_string(),
            );
        }
    }
}

/// Says what had to become of a request that fared otherwise, and where the scenario says so.
fn complaint(
    expectation: &StreamExpectation,
    placed: &Placed<'_>,
    timelines: &Timelines,
) -> Option<(&'static str, Position)> {
    let benign = (
        "inspected, and answered by the application",
        expectation.lost.position,
    );
    let attack = ("denied by the agent", expectation.leaked.position);
    match placed.fate {
        Fate::AsUsual | Fate::TurnedAway => None,
        Fate::Leaked => (*expectation.leaked == LeakedExpectation::None).then_some(attack),
        Fate::Lost => (*expectation.lost == LossExpectation::None).then_some(benign),
        Fate::Misjudged => Some(benign),
        Fate::Uninspected => (*expectation.leaked == LeakedExpectation::None).then_some(benign),
        Fate::Unaccounted => {
            let client = &placed.request.joined.client;
            let timeline = placed.request.pod().and_then(|pod| timelines.get(pod));
            let excused =
                timeline.is_some_and(|timeline| may_lack_records(timeline, moment_of(client)));
            (!excused).then_some(match placed.kind {
                StreamKind::Attack => attack,
                StreamKind::Benign => benign,
            })
        }
    }
}

/// Adds when it was in the life of the pod that had it; of a request without a pod, which pods were on their way out then.
fn explain(finding: Finding, placed: &Placed<'_>, timelines: &Timelines) -> Finding {
    let joined = &placed.request.joined;
    if let Some((pod, timeline)) = placed
        .request
        .pod()
        .and_then(|pod| timelines.get_key_value(pod))
    {
        return place_in_time(finding, joined, &placed.judgement, timeline)
            .note(format!("pod: {pod}"));
    }
    let moment = moment_of(&joined.client);
    let mut finding = finding;
    for (pod, timeline) in timelines {
        if PodPhase::at(timeline, moment).is_leaving() {
            finding = finding.note(format!("then {pod} was {}", phase_at(timeline, moment)));
        }
    }
    finding
        .notes
        .extend(placed.judgement.reasons.iter().cloned());
    finding.notes.extend(describe_witnesses(joined));
    finding
}

#[cfg(test)]
#[path = "streams_tests.rs"]
mod tests;
