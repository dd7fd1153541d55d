//! Tests of [`super`]: timelines that were written by hand, and in what they differ.

use jiff::Timestamp;
use rstest::rstest;

use super::*;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent as Event, ProbeKind};

/// One event: after so many milliseconds, of the container (or, where its name is empty, the pod).
type Line = (i64, &'static str, Event);

fn timeline(lines: &[Line]) -> Vec<TimelineEvent> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|line| line.0);
    lines
        .into_iter()
        .map(|(milliseconds, container, event)| TimelineEvent {
            at: moment(milliseconds),
            container: (!container.is_empty()).then(|| container.to_owned()),
            event,
        })
        .collect()
}

fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + milliseconds).expect("valid")
}

fn term(kill_after_milliseconds: u64) -> Event {
    Event::TermSent {
        not_before: None,
        kill_after_milliseconds,
    }
}

fn probed(success: bool) -> Event {
    Event::Probed {
        probe: ProbeKind::Startup,
        success,
        detail: String::new(),
    }
}

fn exited(code: i32) -> Event {
    Event::Exited(ExitStatus::Code(code))
}

/// A pod whose agent has a hook of two seconds and whose proxy has none.
fn orderly() -> Vec<Line> {
    vec![
        (0, "", Event::PodCreated),
        (10, "proxy", Event::Started { restart_count: 0 }),
        (20, "proxy", Event::StartupComplete),
        (20, "proxy", Event::ContainerReady),
        (30, "agent", Event::Started { restart_count: 0 }),
        (1030, "agent", probed(false)),
        (2030, "agent", probed(true)),
        (2030, "agent", Event::StartupComplete),
        (2040, "agent", Event::ContainerReady),
        (2040, "", Event::PodReady),
        (
            5000,
            "",
            Event::DeletionRequested {
                grace_period_seconds: 20,
            },
        ),
        (5000, "", Event::PodNotReady),
        (5010, "agent", Event::PreStopStarted),
        (5010, "proxy", term(20_000)),
        (5050, "proxy", exited(0)),
        (7010, "agent", Event::PreStopFinished { exit_code: Some(0) }),
        (7010, "agent", term(18_000)),
        (7020, "agent", exited(143)),
        (7030, "", Event::PodGone),
    ]
}

/// The same pod as a cluster's watch tells of it: late, in another order where nothing follows, with more failed probes.
fn told_late() -> Vec<Line> {
    vec![
        (0, "", Event::PodCreated),
        (2980, "agent", Event::Started { restart_count: 0 }),
        (2980, "proxy", Event::Started { restart_count: 0 }),
        (3980, "agent", probed(false)),
        (4980, "agent", probed(false)),
        (6470, "proxy", Event::StartupComplete),
        (6470, "proxy", Event::ContainerReady),
        (6240, "agent", probed(true)),
        (6240, "agent", Event::StartupComplete),
        (6390, "agent", Event::ContainerReady),
        (6480, "", Event::PodReady),
        (
            8000,
            "",
            Event::DeletionRequested {
                grace_period_seconds: 20,
            },
        ),
        (8000, "", Event::PodNotReady),
        (8600, "agent", Event::PreStopStarted),
        (
            9200,
            "proxy",
            Event::TermSent {
                not_before: Some(moment(8100)),
                kill_after_milliseconds: 20_000,
            },
        ),
        (9240, "proxy", exited(0)),
        (10_650, "agent", Event::PreStopFinished { exit_code: None }),
        (10_650, "agent", term(19_000)),
        (10_700, "agent", exited(143)),
    ]
}

fn change(at: usize, event: Event) -> Vec<Line> {
    let mut lines = orderly();
    lines[at].2 = event;
    lines
}

fn without(at: usize) -> Vec<Line> {
    let mut lines = orderly();
    lines.remove(at);
    lines
}

fn moved(changes: &[(usize, i64)]) -> Vec<Line> {
    let mut lines = orderly();
    for (at, milliseconds) in changes {
        lines[*at].0 = *milliseconds;
    }
    lines
}

fn aspects(second: &[Line]) -> Vec<String> {
    differences(&timeline(&orderly()), &timeline(second))
        .into_iter()
        .map(|difference| difference.aspect)
        .collect()
}

#[test]
fn a_timeline_agrees_with_itself() {
    assert_eq!(aspects(&orderly()), Vec::<String>::new());
}

#[test]
fn an_end_of_which_one_of_them_was_told_nothing_is_no_difference() {
    assert_eq!(aspects(&without(17)), [""; 0]);
}

#[test]
fn haste_and_the_order_of_what_does_not_follow_are_no_difference() {
    assert_eq!(aspects(&told_late()), Vec::<String>::new());
}

#[rstest]
#[case::another_exit_code(change(17, exited(0)), "exit code of `agent`")]
#[case::a_hook_that_failed(change(15, Event::PreStopFailed { reason: "no".into() }), "preStop of `agent`")]
#[case::grace_that_does_not_cover_the_hook(
    change(16, term(20_000)),
    "time between TERM and KILL of `agent`"
)]
#[case::no_term(without(13), "time between TERM and KILL of `proxy`")]
#[case::a_probe_that_never_succeeds(without(6), "startup probe of `agent`")]
#[case::a_pod_that_was_never_ready(
    without(9),
    "readiness of the pod when its deletion was asked for"
)]
#[case::start_up_complete_before_the_probe_succeeds(
    moved(&[(7, 1500)]),
    "order of the start of `agent`"
)]
#[case::a_pod_that_is_ready_before_its_container(
    moved(&[(9, 1900)]),
    "order of the start of `agent`"
)]
#[case::an_end_on_the_other_side_of_the_hook(
    moved(&[(14, 8200)]),
    "from exit of `agent` to exit of `proxy`"
)]
fn what_a_kubelet_decides_is_a_difference(#[case] second: Vec<Line>, #[case] aspect: &str) {
    let found = aspects(&second);
    assert!(found.iter().any(|found| found == aspect), "{found:?}");
}

#[test]
fn a_crash_loop_that_went_on_for_longer_is_the_same_crash_loop() {
    let crash = |times: i64| {
        let mut lines = orderly();
        for time in 0..times {
            lines.push((100 + time, "agent", exited(2)));
        }
        timeline(&lines)
    };
    assert_eq!(differences(&crash(2), &crash(4)), Vec::new());
    let between_two_lives = |timeline: &[TimelineEvent]| {
        timeline
            .iter()
            .filter(|event| event.container.as_deref() != Some("agent") || event.at < moment(5000))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        differences(&crash(2), &between_two_lives(&crash(3))),
        Vec::new()
    );
    assert_ne!(
        differences(&crash(0), &between_two_lives(&crash(0))),
        Vec::new()
    );
    let found = differences(&crash(0), &crash(2));
    assert_eq!(found[0].aspect, "ends before the deletion of `agent`");
    assert_eq!(
        found[0].to_string(),
        "ends before the deletion of `agent`: none against [2, 2]"
    );
}

#[test]
fn a_container_that_one_of_them_never_saw_is_a_difference() {
    let mut lines = orderly();
    lines.retain(|line| line.1 != "proxy");
    assert_eq!(
        aspects(&lines).first().map(String::as_str),
        Some("container `proxy`")
    );
}
