//! Reduces a pod's timeline to what every kubelet has to agree upon: ends, hooks, grace and the distances between what it does itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::lifecycle::pre_stop_end;
use harness_core::model::container_end::PreStopEnd;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind, TimelineEvent};

/// What of a timeline does not depend on who kept it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Essence {
    /// What became of each container.
    pub containers: BTreeMap<String, ContainerEssence>,
    /// Whether the pod was ready when its deletion was asked for; none where nobody asked.
    pub ready_when_deleted: Option<Readiness>,
    /// When something was first done after the deletion was asked for.
    pub steps: BTreeMap<LifecycleStep, Moment>,
}

/// What became of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerEssence {
    /// Exit codes of its lives before the deletion, in order. How many there are depends on when the deletion came.
    pub earlier_ends: Vec<i32>,
    /// What its startup probe came to.
    pub startup_probe: StartupProbe,
    /// What was found out of order while it came up.
    pub disorder: BTreeSet<&'static str>,
    /// What its hook came to after the deletion.
    pub pre_stop: Option<PreStopEnd>,
    /// How long it was given between TERM and KILL, in milliseconds.
    pub kill_after_milliseconds: Option<u64>,
    /// The exit code of its last life.
    pub last_end: Option<i32>,
}

/// Whether a pod is an endpoint of its Service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// It is not.
    NotReady,
    /// It is.
    Ready,
}

/// What a startup probe came to. How often it failed depends on how fast the machine is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartupProbe {
    /// Nothing is known of one.
    #[default]
    Absent,
    /// It never succeeded.
    Fails,
    /// It succeeded in the end.
    Succeeds,
}

/// One step of a container's end.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LifecycleStep {
    /// The container.
    pub container: String,
    /// What was done.
    pub kind: StepKind,
}

/// The steps of a container's end, in their order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum StepKind {
    /// The hook began.
    PreStopStarted,
    /// The hook ended, failed, or used the grace period up.
    PreStopEnded,
    /// TERM was sent.
    Term,
    /// The container ended.
    Exited,
}

/// When something happened, as exactly as it is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The earliest moment at which it can have happened.
    pub earliest: Timestamp,
    /// The latest.
    pub latest: Timestamp,
}

impl fmt::Display for LifecycleStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StepKind::PreStopStarted => "preStop's begin",
            StepKind::PreStopEnded => "preStop's end",
            StepKind::Term => "TERM",
            StepKind::Exited => "exit",
        };
        write!(formatter, "{what} of `{}`", self.container)
    }
}

impl Essence {
    /// Reduces a timeline.
    pub fn of(timeline: &[TimelineEvent]) -> Self {
        let deletion = timeline
            .iter()
            .position(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
        let (before, after) = timeline.split_at(deletion.unwrap_or(timeline.len()));
        let names: BTreeSet<&String> = timeline
            .iter()
            .filter_map(|event| event.container.as_ref())
            .collect();
        Self {
            containers: names
                .into_iter()
                .map(|name| (name.clone(), ContainerEssence::of(name, before, after)))
                .collect(),
            ready_when_deleted: deletion.map(|_| readiness(before)),
            steps: steps(after),
        }
    }
}

impl ContainerEssence {
    /// Tells whether it had ended before the deletion and was not started again.
    pub(super) fn is_between_lives(&self) -> bool {
        !self.earlier_ends.is_empty()
            && self.last_end.is_none()
            && self.kill_after_milliseconds.is_none()
    }

    fn of(name: &str, before: &[TimelineEvent], after: &[TimelineEvent]) -> Self {
        Self {
            earlier_ends: exit_codes(before, name),
            startup_probe: startup_probe(before, name),
            disorder: disorder(before, name),
            pre_stop: (!after.is_empty()).then(|| pre_stop_end(after, name)),
            kill_after_milliseconds: of_container(after, name).find_map(|event| {
                match event.event {
                    LifecycleEvent::TermSent {
                        kill_after_milliseconds,
                        not_before: _,
                    } => Some(kill_after_milliseconds),
                    _ => None,
                }
            }),
            last_end: exit_codes(after, name).last().copied(),
        }
    }
}

fn of_container<'a>(
    events: &'a [TimelineEvent],
    name: &'a str,
) -> impl Iterator<Item = &'a TimelineEvent> {
    events
        .iter()
        .filter(move |event| event.container.as_deref() == Some(name))
}

fn exit_codes(events: &[TimelineEvent], name: &str) -> Vec<i32> {
    of_container(events, name)
        .filter_map(|event| match &event.event {
            LifecycleEvent::Exited(status) => Some(status.as_container_exit_code()),
            _ => None,
        })
        .collect()
}

/// Reads what the last word of the pod's readiness was.
fn readiness(before: &[TimelineEvent]) -> Readiness {
    before
        .iter()
        .rev()
        .find_map(|event| match event.event {
            LifecycleEvent::PodReady => Some(Readiness::Ready),
            LifecycleEvent::PodNotReady => Some(Readiness::NotReady),
            _ => None,
        })
        .unwrap_or(Readiness::NotReady)
}

fn startup_probe(before: &[TimelineEvent], name: &str) -> StartupProbe {
    of_container(before, name)
        .filter_map(|event| match event.event {
            LifecycleEvent::Probed {
                probe: ProbeKind::Startup,
                success,
                ..
            } => Some(success),
            _ => None,
        })
        .fold(StartupProbe::Absent, |so_far, success| {
            match (so_far, success) {
                (_, true) | (StartupProbe::Succeeds, false) => StartupProbe::Succeeds,
                (StartupProbe::Absent | StartupProbe::Fails, false) => StartupProbe::Fails,
            }
        })
}

/// Finds what came before what it follows from, in the container's first life.
fn disorder(before: &[TimelineEvent], name: &str) -> BTreeSet<&'static str> {
    let own = |wanted: fn(&LifecycleEvent) -> bool| {
        of_container(before, name)
            .find(|event| wanted(&event.event))
            .map(|event| event.at)
    };
    let started = own(|event| matches!(event, LifecycleEvent::Started { .. }));
    let probed = own(|event| {
        matches!(
            event,
            LifecycleEvent::Probed {
                probe: ProbeKind::Startup,
                success: true,
                ..
            }
        )
    });
    let complete = own(|event| matches!(event, LifecycleEvent::StartupComplete));
    let ready = own(|event| matches!(event, LifecycleEvent::ContainerReady));
    let pod_ready = before
        .iter()
        .find(|event| matches!(event.event, LifecycleEvent::PodReady))
        .map(|event| event.at);
    let follows = [
        (
            "start-up is complete before the container has started",
            // A life of a few milliseconds may be over before anybody looks.
            started.or(complete),
            complete,
        ),
        (
            "start-up is complete before the startup probe has succeeded",
            match startup_probe(before, name) {
                StartupProbe::Absent => complete,
                StartupProbe::Fails | StartupProbe::Succeeds => probed,
            },
            complete,
        ),
        (
            "the container is ready before its start-up is complete",
            complete,
            ready,
        ),
        ("the pod is ready before the container is", ready, pod_ready),
    ];
    follows
        .into_iter()
        .filter(|(_, cause, effect)| effect.is_some() && (cause.is_none() || cause > effect))
        .map(|(what, _, _)| what)
        .collect()
}

fn steps(after: &[TimelineEvent]) -> BTreeMap<LifecycleStep, Moment> {
    let mut steps = BTreeMap::new();
    for event in after {
        let kind = match &event.event {
            LifecycleEvent::PreStopStarted => StepKind::PreStopStarted,
            LifecycleEvent::PreStopFinished { .. }
            | LifecycleEvent::PreStopFailed { .. }
            | LifecycleEvent::PreStopOverran => StepKind::PreStopEnded,
            LifecycleEvent::TermSent { .. } => StepKind::Term,
            LifecycleEvent::Exited(_) => StepKind::Exited,
            LifecycleEvent::ContainerNotReady
            | LifecycleEvent::ContainerReady
            | LifecycleEvent::DeletionRequested { .. }
            | LifecycleEvent::EndUnknown { .. }
            | LifecycleEvent::FaultInjected { .. }
            | LifecycleEvent::KillSent
            | LifecycleEvent::OutOfMemory
            | LifecycleEvent::PodCreated
            | LifecycleEvent::PodGone
            | LifecycleEvent::PodNotReady
            | LifecycleEvent::PodReady
            | LifecycleEvent::Probed { .. }
            | LifecycleEvent::Restarting { .. }
            | LifecycleEvent::Started { .. }
            | LifecycleEvent::StartupComplete => continue,
        };
        let Some(container) = event.container.clone() else {
            continue;
        };
        steps
            .entry(LifecycleStep { container, kind })
            .or_insert(Moment {
                earliest: event.earliest(),
                latest: event.at,
            });
    }
    steps
}
