//! Tests of [`super`]: what a timeline is held against.

use super::*;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Located;

fn timeline(events: &[(&str, LifecycleEvent)]) -> Vec<TimelineEvent> {
    events
        .iter()
        .zip(0..)
        .map(|((container, event), second)| TimelineEvent {
            at: Timestamp::from_second(1_790_000_000 + second).expect("valid"),
            container: (!container.is_empty()).then(|| (*container).to_owned()),
            event: event.clone(),
        })
        .collect()
}

fn end(pre_stop: PreStopEnd, exit_codes: &[i32]) -> ContainerEnd {
    ContainerEnd {
        name: Located::unwritten("a".into()),
        pre_stop: Located::unwritten(pre_stop),
        exit_codes: Located::unwritten(exit_codes.to_vec()),
        outlives: None,
        term_after: None,
        kill_after: None,
    }
}

fn orderly() -> Vec<TimelineEvent> {
    timeline(&[
        (
            "",
            LifecycleEvent::DeletionRequested {
                grace_period_seconds: 30,
            },
        ),
        ("", LifecycleEvent::PodNotReady),
        ("a", LifecycleEvent::PreStopStarted),
        ("a", LifecycleEvent::PreStopFinished { exit_code: Some(0) }),
        (
            "a",
            LifecycleEvent::TermSent {
                not_before: None,
                kill_after_milliseconds: 1000,
            },
        ),
        ("a", LifecycleEvent::Exited(ExitStatus::Code(0))),
    ])
}

#[test]
fn an_orderly_end_has_no_finding() {
    assert_eq!(judge_end(&orderly(), &end(PreStopEnd::Finishes, &[0])), []);
}

#[test]
fn a_kill_is_a_finding_with_its_exit_code() {
    let mut events = orderly();
    events[5].event = LifecycleEvent::Exited(ExitStatus::Signal(9));
    let findings = judge_end(&events, &end(PreStopEnd::Finishes, &[0, 143]));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].observed.to_string().contains("137"),
        "{findings:?}"
    );
}

#[test]
fn a_term_before_pre_stop_is_a_finding() {
    let mut events = orderly();
    events.swap(2, 4);
    let findings = judge_end(&events, &end(PreStopEnd::Finishes, &[0]));
    assert!(
        findings
            .iter()
            .any(|finding| finding.kind == FindingKind::LifecycleOrder),
        "{findings:?}"
    );
}

#[test]
fn a_container_that_does_not_outlive_the_other_is_a_finding() {
    let mut events = orderly();
    let mut expect = end(PreStopEnd::Finishes, &[0]);
    expect.outlives = Some(Located::unwritten("b".into()));
    assert_eq!(judge_end(&events, &expect).len(), 1, "`b` has no end");
    let mut other = events[5].clone();
    other.container = Some("b".into());
    events.insert(1, other);
    events[1].at = events[0].at;
    assert_eq!(judge_end(&events, &expect), []);
}

#[test]
fn another_time_between_term_and_kill_is_a_finding() {
    let mut expect = end(PreStopEnd::Finishes, &[0]);
    expect.kill_after = Some(Located::unwritten("1s".parse().expect("valid")));
    assert_eq!(judge_end(&orderly(), &expect), []);
    expect.kill_after = Some(Located::unwritten("2s".parse().expect("valid")));
    assert_eq!(judge_end(&orderly(), &expect).len(), 1);
}

#[test]
fn an_overrun_hook_is_not_a_finished_one() {
    let mut events = orderly();
    events[3].event = LifecycleEvent::PreStopOverran;
    assert_eq!(judge_end(&events, &end(PreStopEnd::Overruns, &[0])), []);
    assert_eq!(
        judge_end(&events, &end(PreStopEnd::Finishes, &[0])).len(),
        1
    );
}

#[test]
fn a_hook_of_which_the_process_ended_and_that_failed_has_failed() {
    let failed = LifecycleEvent::PreStopFailed {
        reason: "exited with 1".into(),
    };
    for at in [3, 4] {
        let mut events = orderly();
        events.insert(
            at,
            TimelineEvent {
                event: failed.clone(),
                ..events[3].clone()
            },
        );
        assert_eq!(judge_end(&events, &end(PreStopEnd::Fails, &[0])), []);
    }
}

#[test]
fn readiness_before_the_startup_probe_is_a_finding() {
    let probe = |success| LifecycleEvent::Probed {
        probe: ProbeKind::Startup,
        success,
        detail: String::new(),
    };
    let good = timeline(&[
        ("a", probe(false)),
        ("a", probe(true)),
        ("a", LifecycleEvent::StartupComplete),
        ("", LifecycleEvent::PodReady),
    ]);
    assert_eq!(judge_startup_probe(&good, "a", Position::default()), []);
    let mut early = good;
    early.rotate_right(1);
    assert_eq!(
        judge_startup_probe(&early, "a", Position::default()).len(),
        1
    );
}

#[test]
fn a_term_that_comes_before_its_turn_or_never_is_a_finding() {
    let mut expect = end(PreStopEnd::Finishes, &[0]);
    expect.term_after = Some(Located::unwritten("b".into()));
    let observed = |events: &[TimelineEvent]| {
        let findings = judge_end(events, &expect);
        let found = findings
            .iter()
            .find(|finding| finding.kind == FindingKind::LifecycleOrder);
        found.map(|finding| finding.observed.to_string())
    };
    let mut events = orderly();
    assert_eq!(
        observed(&events).as_deref(),
        Some("the end of the other is not in the timeline")
    );
    let exit = events[5].clone();
    events.insert(
        4,
        TimelineEvent {
            container: Some("b".into()),
            ..exit
        },
    );
    events[4].at = events[3].at;
    assert_eq!(observed(&events), None);
    events[4].at = events[6].at;
    assert_eq!(
        observed(&events).as_deref(),
        Some("it was sent TERM before")
    );
    events.remove(5);
    assert_eq!(observed(&events).as_deref(), Some("it was sent no TERM"));
}
