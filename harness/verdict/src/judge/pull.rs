//! Judges what the kubelet made of the agent's image.

use schemars::JsonSchema;
use serde::Deserialize;

use super::lifecycle::{first, render};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::image_use::ContainerImage;
use harness_core::model::located::Position;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;

/// What becomes of a container whose image is looked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PullOutcome {
    /// It is never started, and the pod is never ready.
    NeverStarts,
    /// It runs.
    Runs,
}

/// The reason that the kubelet must give.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedReason<'a> {
    /// The reasons of which one is right.
    pub any_of: &'a [&'a str],
    /// How soon.
    pub within: TimeSpan,
    /// Where the scenario asks for it.
    pub position: Position,
}

/// Makes the finding of an agent that waits for its image where it must run.
pub fn image_missing(position: Position, reason: String, timeline: &[TimelineEvent]) -> Finding {
    Finding::new(FindingKind::ImagePull, position, "the agent runs", reason)
        .note(render(timeline, None))
}

/// Makes the finding of a kubelet that gives another reason, or none: `agent` is what was last known of the container's image.
pub fn other_reason(
    expected: &ExpectedReason<'_>,
    agent: Option<&ContainerImage>,
    timeline: &[TimelineEvent],
) -> Finding {
    let observed = match agent.map(|image| &image.waiting) {
        Some(Some((reason, words))) => format!("{reason}: {words}"),
        Some(None) => "no reason: it does not wait".into(),
        None => "nothing is known of the container".into(),
    };
    let any_of = expected.any_of.join(" or ");
    Finding::new(
        FindingKind::ImagePullReason,
        expected.position,
        format!("the kubelet says {any_of} within {}", expected.within),
        observed,
    )
    .note(render(timeline, None))
}

/// Checks that the agent was never started, and the pod never ready.
pub fn judge_never_started(position: Position, timeline: &[TimelineEvent]) -> Option<Finding> {
    let started = first(timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::Started { .. })
    });
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    });
    let observed = match (started, ready) {
        (None, None) => return None,
        (Some(_), _) => "it was started",
        (None, Some(_)) => "the pod became ready without it",
    };
    Some(
        Finding::new(
            FindingKind::ImagePull,
            position,
            "the agent never starts, and the pod is never ready",
            observed,
        )
        .note(render(timeline, None)),
    )
}
