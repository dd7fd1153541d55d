//! Judges an agent that must refuse its deployment: how and how soon it ends, and what becomes of requests meanwhile.

use super::exchange::describe_witnesses;
use super::judged::Judged;
use super::lifecycle::{exit_after, phase_at, render};
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;

/// Makes the finding of an agent that has not refused as often as it must.
pub fn not_refused(times: usize, position: Position, timed_out: TimedOut) -> Finding {
    Finding::new(
        FindingKind::Refusal,
        position,
        format!(
            "the agent refuses the deployment {times} times within {}",
            timed_out.budget
        ),
        "it still runs, or was not started again",
    )
    .note(timed_out.last_seen)
}

/// Judges how soon the agent ended each time, and with which exit code.
pub fn judge_ends(within: &Located<TimeSpan>, timeline: &[TimelineEvent]) -> Judged {
    let mut judged = Judged::default();
    for (started, exited) in lives(timeline) {
        let ran = exited.at.duration_since(started.at);
        if ran > within.as_duration().try_into().unwrap_or_default() {
            judged.findings.push(
                Finding::new(
                    FindingKind::Refusal,
                    within.position,
                    format!("the agent ends within {}", **within),
                    format!("it ran for {} ms", ran.as_millis()),
                )
                .note(render(timeline, Some(AGENT_CONTAINER))),
            );
        }
    }
    match exit_after(timeline, AGENT_CONTAINER).map(ExitStatus::as_container_exit_code) {
        Some(0) => judged.findings.push(
            Finding::new(
                FindingKind::Refusal,
                within.position,
                "the agent ends with an exit code other than 0",
                "it ended with 0",
            )
            .note(render(timeline, Some(AGENT_CONTAINER))),
        ),
        Some(code) => judged.observe("the agent's exit code", code.to_string()),
        None => {}
    }
    judged
}

/// A request that is sent again and again while the agent refuses.
#[derive(Clone, Copy, Debug)]
pub struct StreamedRequest<'a> {
    /// The case that it belongs to.
    pub case: &'a str,
    /// What the witnesses saw of it.
    pub joined: &'a Joined,
    /// What that adds up to.
    pub judgement: &'a Judgement,
}

/// Checks that a request has the outcome of its case.
pub fn judge_streamed(
    request: &StreamedRequest<'_>,
    expected: Located<Outcome>,
    timeline: &[TimelineEvent],
) -> Option<Finding> {
    let StreamedRequest {
        case,
        joined,
        judgement,
    } = *request;
    if judgement.outcome == *expected {
        return None;
    }
    let mut finding = Finding::new(
        FindingKind::Outcome,
        expected.position,
        *expected,
        judgement.outcome,
    )
    .about(case, &RequestId::from_witness(&joined.client.id))
    .note(format!(
        "sent {}",
        phase_at(timeline, joined.client.intended_at)
    ));
    finding.notes.extend(judgement.reasons.iter().cloned());
    finding.notes.extend(describe_witnesses(joined));
    Some(finding)
}

fn of_agent(
    timeline: &[TimelineEvent],
    wanted: fn(&LifecycleEvent) -> bool,
) -> Vec<&TimelineEvent> {
    timeline
        .iter()
        .filter(|event| event.container.as_deref() == Some(AGENT_CONTAINER) && wanted(&event.event))
        .collect()
}

/// Returns each start of the agent with its exit, where that is known.
fn lives(timeline: &[TimelineEvent]) -> Vec<(&TimelineEvent, &TimelineEvent)> {
    let events = of_agent(timeline, |event| {
        matches!(
            event,
            LifecycleEvent::Started { .. } | LifecycleEvent::Exited(_)
        )
    });
    let pairs = events.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(started, ended)| {
            matches!(started.event, LifecycleEvent::Started { .. })
                && matches!(ended.event, LifecycleEvent::Exited(_))
        })
        .collect()
}

/// Returns every exit of the agent.
pub fn exits(timeline: &[TimelineEvent]) -> Vec<&TimelineEvent> {
    of_agent(timeline, |event| matches!(event, LifecycleEvent::Exited(_)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_start_has_its_own_exit_and_no_later_ones() {
        let event = |second, event| TimelineEvent {
            at: Timestamp::from_second(second).expect("valid"),
            container: Some(AGENT_CONTAINER.into()),
            event,
        };
        let started = |restart_count| LifecycleEvent::Started { restart_count };
        let exited = || LifecycleEvent::Exited(ExitStatus::Code(2));
        let unknown = LifecycleEvent::EndUnknown {
            reason: "it was not observed".into(),
        };
        let timeline = [
            event(0, started(0)),
            event(1, unknown),
            event(2, started(1)),
            event(3, exited()),
            event(14, started(2)),
            event(15, exited()),
        ];
        let lives: Vec<_> = lives(&timeline)
            .iter()
            .map(|(started, exited)| (started.at.as_second(), exited.at.as_second()))
            .collect();
        assert_eq!(lives, [(2, 3), (14, 15)]);
        assert_eq!(exits(&timeline).len(), 2);
    }
}
