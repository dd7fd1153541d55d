//! Reads a pod's timeline: how containers ended, what probes saw, in which phase a moment lies.

use jiff::Timestamp;

use super::exchange::describe_witnesses;
use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::container_end::{ContainerEnd, PreStopEnd};
use harness_core::model::datum::{Datum, Quantity};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};

/// Holds how a container ended against how it had to.
pub fn judge_end(timeline: &[TimelineEvent], expect: &ContainerEnd) -> Vec<Finding> {
    let name = expect.name.as_str();
    let deletion = timeline
        .iter()
        .position(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
    let Some(deletion) = deletion else {
        return vec![Finding::new(
            FindingKind::NotExercised,
            expect.name.position,
            "a deletion in the timeline",
            Datum::Nothing,
        )];
    };
    let after = &timeline[deletion..];
    let mut findings = judge_order(after, name, expect.name.position);
    let observed = pre_stop_end(after, name);
    if observed != *expect.pre_stop {
        findings.push(
            Finding::new(
                FindingKind::PreStop,
                expect.pre_stop.position,
                format!("preStop of `{name}` {}", describe(*expect.pre_stop)),
                format!("it {}", describe(observed)),
            )
            .note(render(after, Some(name))),
        );
    }
    let code = exit_after(after, name).map(ExitStatus::as_container_exit_code);
    if !code.is_some_and(|code| expect.exit_codes.contains(&code)) {
        let right = expect.exit_codes.iter().copied();
        findings.push(
            Finding::new(
                FindingKind::ExitCode,
                expect.exit_codes.position,
                Datum::any_of(right.map(Datum::code)),
                code.map_or("no exit in the timeline".into(), Datum::code),
            )
            .note(format!("exit code of `{name}`"))
            .note(render(after, Some(name))),
        );
    }
    findings.extend(judge_survival(after, expect));
    findings.extend(judge_turn(after, expect));
    findings.extend(judge_kill_after(after, expect));
    findings
}

/// Checks that a container ended after the one that it must outlive.
fn judge_survival(after: &[TimelineEvent], expect: &ContainerEnd) -> Option<Finding> {
    let other = expect.outlives.as_ref()?;
    let exit_of = |name: &str| {
        first(after, Some(name), |event| {
            matches!(event, LifecycleEvent::Exited(_))
        })
    };
    let (own, others) = (exit_of(&expect.name), exit_of(other));
    (own.is_none() || others.is_none() || own < others).then(|| {
        Finding::new(
            FindingKind::ExitOrder,
            other.position,
            format!("`{}` ends after `{}`", *expect.name, **other),
            match (own, others) {
                (None, _) => "its end is not in the timeline",
                (Some(_), None) => "the end of the other is not in the timeline",
                (Some(_), Some(_)) => "it ends before",
            },
        )
        .note(render(after, None))
    })
}

/// Checks that a container was sent TERM after another one had ended.
fn judge_turn(after: &[TimelineEvent], expect: &ContainerEnd) -> Option<Finding> {
    let other = expect.term_after.as_ref()?;
    let term = first(after, Some(&expect.name), |event| {
        matches!(event, LifecycleEvent::TermSent { .. })
    });
    let end = first(after, Some(other), |event| {
        matches!(event, LifecycleEvent::Exited(_))
    });
    let observed = match (term, end) {
        (None, _) => "it was sent no TERM",
        (Some(_), None) => "the end of the other is not in the timeline",
        (Some(term), Some(end)) if term < end => "it was sent TERM before",
        (Some(_), Some(_)) => return None,
    };
    let expected = format!(
        "`{}` is sent TERM after `{}` has ended",
        *expect.name, **other
    );
    Some(
        Finding::new(
            FindingKind::LifecycleOrder,
            other.position,
            expected,
            observed,
        )
        .note(render(after, None)),
    )
}

/// Checks how long a container was given between TERM and KILL.
fn judge_kill_after(after: &[TimelineEvent], expect: &ContainerEnd) -> Option<Finding> {
    let wanted = expect.kill_after.as_ref()?;
    let given = after.iter().find_map(|event| match &event.event {
        LifecycleEvent::TermSent {
            kill_after_milliseconds,
            not_before: _,
        } if event.container.as_deref() == Some(expect.name.as_str()) => {
            Some(*kill_after_milliseconds)
        }
        _ => None,
    });
    (given.map(u128::from) != Some(wanted.as_duration().as_millis())).then(|| {
        Finding::new(
            FindingKind::KillDelay,
            wanted.position,
            Datum::Quantity((**wanted).into()),
            given.map_or("no TERM in the timeline".into(), |given| {
                Datum::Quantity(Quantity::Microseconds(given.saturating_mul(1_000)))
            }),
        )
        .note(format!("from TERM to KILL of `{}`", *expect.name))
    })
}

/// Checks the kubelet's order: not ready, preStop, TERM, exit.
fn judge_order(after: &[TimelineEvent], name: &str, position: Position) -> Vec<Finding> {
    let of_container = |wanted: fn(&LifecycleEvent) -> bool| {
        after
            .iter()
            .position(|event| event.container.as_deref() == Some(name) && wanted(&event.event))
    };
    let not_ready = after
        .iter()
        .position(|event| matches!(event.event, LifecycleEvent::PodNotReady));
    let pre_stop = of_container(|event| matches!(event, LifecycleEvent::PreStopStarted));
    let term = of_container(|event| matches!(event, LifecycleEvent::TermSent { .. }));
    let exit = of_container(|event| matches!(event, LifecycleEvent::Exited(_)));
    let steps = [
        ("the pod leaves its Service", not_ready),
        ("preStop starts", pre_stop),
        ("TERM is sent", term),
        ("the container exits", exit),
    ];
    let seen: Vec<(&str, usize)> = steps
        .into_iter()
        .filter_map(|(step, index)| Some((step, index?)))
        .collect();
    seen.windows(2)
        .filter(|pair| pair[0].1 > pair[1].1)
        .map(|pair| {
            Finding::new(
                FindingKind::LifecycleOrder,
                position,
                format!("{} before {}", pair[0].0, pair[1].0),
                "the other way round",
            )
            .note(render(after, Some(name)))
        })
        .collect()
}

/// Returns what a container's hook came to.
pub(super) fn pre_stop_end(after: &[TimelineEvent], name: &str) -> PreStopEnd {
    let mut end = PreStopEnd::Absent;
    for event in after
        .iter()
        .filter(|event| event.container.as_deref() == Some(name))
    {
        match &event.event {
            // The end of its process is seen of a hook that fails, too.
            LifecycleEvent::PreStopFinished { .. } if end == PreStopEnd::Absent => {
                end = PreStopEnd::Finishes;
            }
            LifecycleEvent::PreStopOverran => end = PreStopEnd::Overruns,
            LifecycleEvent::PreStopFailed { .. } => end = PreStopEnd::Fails,
            _ => {}
        }
    }
    end
}

pub(super) const fn describe(end: PreStopEnd) -> &'static str {
    match end {
        PreStopEnd::Absent => "is absent",
        PreStopEnd::Fails => "fails to run",
        PreStopEnd::Finishes => "ends before TERM",
        PreStopEnd::Overruns => "uses the grace period up",
    }
}

/// Returns how a container ended, its last exit.
pub fn exit_after(events: &[TimelineEvent], container: &str) -> Option<ExitStatus> {
    events.iter().rev().find_map(|event| match &event.event {
        LifecycleEvent::Exited(status) if event.container.as_deref() == Some(container) => {
            Some(*status)
        }
        _ => None,
    })
}

/// Checks that the startup probe failed, then succeeded once, and that the pod was ready only then.
pub fn judge_startup_probe(
    timeline: &[TimelineEvent],
    container: &str,
    position: Position,
) -> Vec<Finding> {
    let probes: Vec<bool> = timeline
        .iter()
        .filter(|event| event.container.as_deref() == Some(container))
        .filter_map(|event| match &event.event {
            LifecycleEvent::Probed {
                probe: ProbeKind::Startup,
                success,
                ..
            } => Some(*success),
            _ => None,
        })
        .collect();
    let mut findings = Vec::new();
    let failures = probes.iter().filter(|success| !**success).count();
    let successes = probes.len() - failures;
    if failures == 0 || successes != 1 || probes.last() != Some(&true) {
        findings.push(
            Finding::new(
                FindingKind::StartupProbe,
                position,
                "the startup probe fails at least once, then succeeds exactly once",
                format!("{failures} failures and {successes} successes"),
            )
            .note(render(timeline, Some(container))),
        );
    }
    let position_of = |wanted: fn(&LifecycleEvent) -> bool| {
        timeline.iter().position(|event| wanted(&event.event))
    };
    let complete = timeline.iter().position(|event| {
        event.container.as_deref() == Some(container)
            && matches!(event.event, LifecycleEvent::StartupComplete)
    });
    let ready = position_of(|event| matches!(event, LifecycleEvent::PodReady));
    if complete.is_none() || ready.is_none() || complete > ready {
        findings.push(
            Finding::new(
                FindingKind::StartupProbe,
                position,
                "the pod is ready after the startup probe has succeeded",
                match (complete, ready) {
                    (_, None) => "the pod was never ready",
                    (None, Some(_)) => "the pod was ready and the probe never succeeded",
                    (Some(_), Some(_)) => "the pod was ready before",
                },
            )
            .note(render(timeline, None)),
        );
    }
    findings
}

/// Returns when an event of a container (or of the pod) first happened.
pub fn first(
    timeline: &[TimelineEvent],
    container: Option<&str>,
    wanted: fn(&LifecycleEvent) -> bool,
) -> Option<Timestamp> {
    timeline
        .iter()
        .find(|event| event.container.as_deref() == container && wanted(&event.event))
        .map(|event| event.at)
}

/// Returns the earliest moment at which a container can have been sent TERM.
pub fn earliest_term(timeline: &[TimelineEvent], container: &str) -> Option<Timestamp> {
    timeline
        .iter()
        .find(|event| {
            event.container.as_deref() == Some(container)
                && matches!(event.event, LifecycleEvent::TermSent { .. })
        })
        .map(TimelineEvent::earliest)
}

/// Names the phase in which a moment lies: the last event before it that moves the pod on.
pub fn phase_at(timeline: &[TimelineEvent], moment: Timestamp) -> String {
    timeline
        .iter()
        .filter(|event| event.at <= moment)
        .rfind(|event| !matches!(event.event, LifecycleEvent::Probed { .. }))
        .map_or_else(
            || "before the pod existed".into(),
            |event| {
                let after = moment.duration_since(event.at).as_millis();
                format!("{after} ms after: {}", line(event))
            },
        )
}

/// Renders a timeline on one line, times relative to its first event.
pub fn render(timeline: &[TimelineEvent], container: Option<&str>) -> String {
    let Some(start) = timeline.first().map(|event| event.at) else {
        return "the timeline is empty".into();
    };
    let events: Vec<String> = timeline
        .iter()
        .filter(|event| {
            event.container.is_none()
                || container.is_none()
                || event.container.as_deref() == container
        })
        .map(|event| {
            let at = event.at.duration_since(start).as_millis();
            format!("+{at} ms {}", line(event))
        })
        .collect();
    format!("timeline: {}", events.join("; "))
}

fn line(event: &TimelineEvent) -> String {
    let subject = event.container.as_deref().unwrap_or("pod");
    let what = match &event.event {
        LifecycleEvent::PodCreated => "created".into(),
        LifecycleEvent::Started { restart_count: 0 } => "started".into(),
        LifecycleEvent::Started { restart_count } => format!("started again ({restart_count})"),
        LifecycleEvent::Exited(status) => format!("exited {}", status.as_container_exit_code()),
        LifecycleEvent::EndUnknown { reason } => format!("ended in an unknown way: {reason}"),
        LifecycleEvent::Probed {
            probe,
            success,
            detail,
        } => format!(
            "{probe:?} probe {}: {detail}",
            if *success { "succeeded" } else { "failed" }
        ),
        LifecycleEvent::StartupComplete => "start-up complete".into(),
        LifecycleEvent::ContainerReady | LifecycleEvent::PodReady => "ready".into(),
        LifecycleEvent::ContainerNotReady | LifecycleEvent::PodNotReady => "not ready".into(),
        LifecycleEvent::DeletionRequested {
            grace_period_seconds,
        } => format!("deletion asked for, grace period {grace_period_seconds} s"),
        LifecycleEvent::PreStopStarted => "preStop started".into(),
        LifecycleEvent::PreStopFinished { exit_code } => match exit_code {
            Some(code) => format!("preStop ended with {code}"),
            None => "preStop ended".into(),
        },
        LifecycleEvent::PreStopFailed { reason } => format!("preStop failed: {reason}"),
        LifecycleEvent::PreStopOverran => "preStop used the grace period up".into(),
        LifecycleEvent::TermSent {
            kill_after_milliseconds,
            not_before: None,
        } => format!("TERM sent, KILL after {kill_after_milliseconds} ms"),
        LifecycleEvent::TermSent {
            kill_after_milliseconds,
            not_before: Some(earliest),
        } => format!(
            "TERM sent by now, up to {} ms before, KILL after {kill_after_milliseconds} ms",
            event.at.duration_since(*earliest).as_millis()
        ),
        LifecycleEvent::KillSent => "KILL sent".into(),
        LifecycleEvent::OutOfMemory => "ended by the kernel: out of memory".into(),
        LifecycleEvent::Restarting { reason } => format!("restarting: {reason}"),
        LifecycleEvent::FaultInjected { fault } => format!("fault injected: {fault}"),
        LifecycleEvent::PodGone => "gone".into(),
    };
    format!("{subject} {what}")
}

/// Adds to a finding about a request when it was under way in the pod's life, what led to its outcome, and what each witness saw.
pub fn place_in_time(
    finding: Finding,
    joined: &Joined,
    judgement: &Judgement,
    timeline: &[TimelineEvent],
) -> Finding {
    let client = &joined.client;
    let sent_at = client.sent_at.unwrap_or(client.intended_at);
    let mut finding = finding
        .note(format!("sent {}", phase_at(timeline, sent_at)))
        .note(format!("ended {}", phase_at(timeline, client.finished_at)));
    finding.notes.extend(judgement.reasons.iter().cloned());
    finding.notes.extend(describe_witnesses(joined));
    finding
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
