//! Judges the streams of a rollout: what was lost, what was leaked, in which phase of whose life, and what the counts prove.

use harness_core::model::finding_kind::FindingKind;
use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::procedure::ProcedureResults;
use crate::procedure::deployment::FleetDeployment;
use crate::procedure::rollout::LeakedExpectation;
use crate::procedure::rollout::LossExpectation;
use crate::procedure::rollout::RolloutSpec;
use crate::procedure::stream_pair::{Repeated, StreamPair};
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::TimelineEvent;
use harness_verdict::judge::bound::{PROVEN, Share};
use harness_verdict::judge::exchange::describe_witnesses;
use harness_verdict::judge::fleet::{Fate, PodPhase, end_without_pod, may_lack_records, moment_of};
use harness_verdict::judge::lifecycle::{phase_at, place_in_time};
use harness_verdict::witness::fleet::FleetJoined;
use harness_verdict::witness::outcome::Judgement;

/// The most requests of one fate that have a finding of their own; the totals have all.
const MOST_OF_A_FATE: usize = 10;

/// The timelines of all pods, by name.
pub(super) type Timelines = BTreeMap<String, Vec<TimelineEvent>>;

/// A request with what became of it.
struct Placed<'a> {
    request: &'a FleetJoined,
    judgement: Judgement,
    stream: &'a Repeated,
    fate: Fate,
    /// The phase of the pod that had it, or how it ended without one.
    phase: String,
}

/// Judges every request of both streams.
pub(super) fn judge(
    spec: &RolloutSpec,
    pair: &StreamPair,
    joined: &[FleetJoined],
    deployment: &FleetDeployment,
    results: &mut ProcedureResults,
) {
    let timelines: Timelines = deployment
        .fleet()
        .pods()
        .into_iter()
        .map(|member| (member.name, member.pod.timeline()))
        .collect();
    let placed: Vec<Placed<'_>> = joined
        .iter()
        .map(|request| place(pair.of(&request.joined.client), request, &timelines))
        .collect();
    let reported = Reported::of(&placed);
    reported.observe(&placed, results);
    reported.judge_totals(spec, results);
    judge_each(spec, &placed, &timelines, results);
    for placed in placed {
        let judged = placed
            .stream
            .judged(placed.request.joined.clone(), placed.judgement);
        results.requests.push(judged);
    }
}

fn place<'a>(stream: &'a Repeated, request: &'a FleetJoined, timelines: &Timelines) -> Placed<'a> {
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
        stream,
        phase,
    }
}

/// How many requests were lost and leaked, of how many, and in which phases.
struct Reported {
    lost: Share,
    leaked: Share,
    lost_in: String,
    leaked_in: String,
}

impl Reported {
    fn of(placed: &[Placed<'_>]) -> Self {
        let share = |kind: StreamKind, fate: Fate| {
            let of_kind = || {
                placed
                    .iter()
                    .filter(move |placed| placed.stream.kind == kind)
            };
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

    fn observe(&self, placed: &[Placed<'_>], results: &mut ProcedureResults) {
        let observations = &mut results.observations;
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

    fn judge_totals(&self, spec: &RolloutSpec, results: &mut ProcedureResults) {
        let expected = match *spec.lost {
            LossExpectation::Allowed => None,
            LossExpectation::None => (self.lost.count > 0)
                .then_some((FindingKind::LostRequests, "no benign request is lost")),
            LossExpectation::Some => (self.lost.count == 0).then_some((
                FindingKind::NotExercised,
                "benign requests are lost, and are seen to be",
            )),
        };
        if let Some((kind, expected)) = expected {
            let mut finding =
                Finding::new(kind, spec.lost.position, expected, self.lost.to_string());
            if !self.lost_in.is_empty() {
                finding = finding.note(format!("lost in: {}", self.lost_in));
            }
            results.findings.push(finding);
        }
        let expected = match *spec.leaked {
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
                spec.leaked.position,
                expected,
                self.leaked.to_string(),
            );
            if !self.leaked_in.is_empty() {
                finding = finding.note(format!("leaked in: {}", self.leaked_in));
            }
            results.findings.push(finding);
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

/// Gives requests that did not fare as they had to a finding each, so far as there are not too many.
fn judge_each(
    spec: &RolloutSpec,
    placed: &[Placed<'_>],
    timelines: &Timelines,
    results: &mut ProcedureResults,
) {
    let mut found: BTreeMap<Fate, usize> = BTreeMap::new();
    for placed in placed {
        let Some((expected, position)) = complaint(spec, placed, timelines) else {
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
            .about(placed.stream.case, &RequestId::from_witness(&client.id));
        results.findings.push(explain(finding, placed, timelines));
    }
    for (fate, count) in found {
        if count > MOST_OF_A_FATE {
            results.observations.insert(
                format!("requests {fate} without a finding of their own"),
                (count - MOST_OF_A_FATE).to_string(),
            );
        }
    }
}

/// Says what had to become of a request that fared otherwise, and where the scenario says so.
fn complaint(
    spec: &RolloutSpec,
    placed: &Placed<'_>,
    timelines: &Timelines,
) -> Option<(&'static str, Position)> {
    let benign = (
        "inspected, and answered by the application",
        spec.lost.position,
    );
    let attack = ("denied by the agent", spec.leaked.position);
    match placed.fate {
        Fate::AsUsual | Fate::TurnedAway => None,
        Fate::Leaked => (*spec.leaked == LeakedExpectation::None).then_some(attack),
        Fate::Lost => (*spec.lost == LossExpectation::None).then_some(benign),
        Fate::Misjudged => Some(benign),
        Fate::Uninspected => (*spec.leaked == LeakedExpectation::None).then_some(benign),
        Fate::Unaccounted => {
            let client = &placed.request.joined.client;
            let timeline = placed.request.pod().and_then(|pod| timelines.get(pod));
            let excused =
                timeline.is_some_and(|timeline| may_lack_records(timeline, moment_of(client)));
            (!excused).then_some(match placed.stream.kind {
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
#[path = "judgement_tests.rs"]
mod tests;
