//! Judges when a pod is ready and whether it stays so, and that one which is never ready serves nothing.

use super::attacks::Attacks;
use crate::judge::judged::Judged;
use crate::judge::lifecycle::{first, phase_at, render};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;

/// Holds the time from the agent's start to the pod's readiness against the bound. What comes before is the node's to answer for.
pub fn judge_time_to_ready(
    bound: Located<TimeSpan>,
    timeline: &[TimelineEvent],
) -> Option<Finding> {
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    })?;
    let started = first(timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::Started { .. })
    })?;
    let took = ready.duration_since(started);
    (took.unsigned_abs() > bound.as_duration()).then(|| {
        Finding::new(
            FindingKind::TimeToReady,
            bound.position,
            format!("the pod is ready within {} of the agent's start", *bound),
            format!("after {} ms", took.as_millis()),
        )
        .note(render(timeline, None))
    })
}

/// Checks that a pod that became ready has not ceased to be: its end was not asked for.
pub fn judge_lasting_readiness(position: Position, timeline: &[TimelineEvent]) -> Option<Finding> {
    let ready = timeline
        .iter()
        .position(|event| matches!(event.event, LifecycleEvent::PodReady))?;
    let ceased = timeline[ready..]
        .iter()
        .find(|event| matches!(event.event, LifecycleEvent::PodNotReady))?;
    Some(
        Finding::new(
            FindingKind::Readiness,
            position,
            "a pod that is ready stays ready",
            format!("it ceased to be, {}", phase_at(timeline, ceased.at)),
        )
        .note(render(timeline, None)),
    )
}

/// Checks that a pod that is never ready has served nothing.
pub fn judge_closed(position: Position, attacks: &Attacks, timeline: &[TimelineEvent]) -> Judged {
    let mut judged = Judged::default();
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    });
    let sent = attacks.requests.len();
    let served = sent - attacks.count(Outcome::Lost);
    if sent == 0 {
        judged.findings.push(Finding::new(
            FindingKind::NotExercised,
            position,
            "attacks are sent while the pod is not ready",
            "none was: nothing was tested",
        ));
    }
    if ready.is_some() || served > 0 {
        judged.findings.push(
            Finding::new(
                FindingKind::Readiness,
                position,
                "the pod is never ready and serves nothing",
                format!(
                    "it was {}ready and answered {served} requests",
                    if ready.is_some() { "" } else { "not " }
                ),
            )
            .note(render(timeline, None)),
        );
    }
    judged.observe("requests refused", (sent - served).to_string());
    judged
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn judged(agent_started_after: i64, ready_after: i64) -> Option<Finding> {
        let bound = Located::unwritten(TimeSpan::new(Duration::from_secs(10)));
        let started = LifecycleEvent::Started { restart_count: 0 };
        let timeline = [
            (0, None, LifecycleEvent::PodCreated),
            (agent_started_after, Some(AGENT_CONTAINER), started),
            (ready_after, None, LifecycleEvent::PodReady),
        ]
        .map(|(after, container, event)| TimelineEvent {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(after),
            container: container.map(Into::into),
            event,
        });
        judge_time_to_ready(bound, &timeline)
    }

    #[test]
    fn an_agent_is_not_blamed_for_what_a_node_takes_to_start_it() {
        assert_eq!(judged(30, 40), None);
        let finding = judged(30, 41).expect("it took longer");
        assert_eq!(finding.observed.to_string(), "after 11000 ms");
    }
}
