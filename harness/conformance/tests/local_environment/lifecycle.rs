//! The kubelet's rules with real processes: probes, hooks, signals, faults.

use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, events_of, log, shell, until, until_gone, until_logged, with};
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};
use harness_environment::ContainerFault;

const PROMPT: &str = "trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.01; done";

fn after(events: &[TimelineEvent], from: &LifecycleEvent, to: &LifecycleEvent) -> Duration {
    let at = |wanted: &LifecycleEvent| {
        events
            .iter()
            .find(|event| event.event == *wanted)
            .unwrap_or_else(|| panic!("no {wanted:?}: {events:#?}"))
            .at
    };
    Duration::try_from(at(to).duration_since(at(from))).expect("in order")
}

#[tokio::test]
async fn a_pod_comes_up_and_goes_in_order() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [with(shell("app", PROMPT), json!({
            "lifecycle": { "preStop": { "exec": { "command": ["sh", "-c", "echo hook"] } } }
        }))] }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    until(&*pod, "readiness", |event| {
        event.event == LifecycleEvent::PodReady
    })
    .await;
    assert!(pod.is_ready());
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    assert!(!pod.is_ready());
    let events: Vec<LifecycleEvent> = pod
        .timeline()
        .into_iter()
        .map(|event| event.event)
        .collect();
    assert_eq!(
        events,
        [
            LifecycleEvent::PodCreated,
            LifecycleEvent::Started { restart_count: 0 },
            LifecycleEvent::StartupComplete,
            LifecycleEvent::ContainerReady,
            LifecycleEvent::PodReady,
            LifecycleEvent::DeletionRequested {
                grace_period_seconds: 30
            },
            LifecycleEvent::PodNotReady,
            LifecycleEvent::PreStopStarted,
            LifecycleEvent::PreStopFinished { exit_code: Some(0) },
            LifecycleEvent::TermSent {
                not_before: None,
                kill_after_milliseconds: 30_000
            },
            LifecycleEvent::Exited(ExitStatus::Code(0)),
            LifecycleEvent::ContainerNotReady,
            LifecycleEvent::PodGone,
        ]
    );
    assert!(log(&*pod, "app").await.ends_with("term\n"));
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_process_that_ignores_term_is_killed_with_its_grandchildren() {
    let bench = Bench::new();
    let script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 77; done' &) ; \
                  echo ready; while :; do sleep 77; done";
    let pod = bench
        .create(json!({
            "terminationGracePeriodSeconds": 1,
            "containers": [shell("app", script)]
        }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    let events = pod.timeline();
    let term = LifecycleEvent::TermSent {
        not_before: None,
        kill_after_milliseconds: 2000,
    };
    let waited = after(&events, &term, &LifecycleEvent::KillSent);
    assert!(waited >= Duration::from_secs(2), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert!(
        events
            .iter()
            .any(|event| event.event == LifecycleEvent::Exited(ExitStatus::Signal(9)))
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_daemon_does_not_outlive_its_container() {
    let bench = Bench::new();
    let marker = "sleep 7654321";
    let pod = bench
        .create(json!({
            "restartPolicy": "Never",
            "containers": [
                shell("app", "setsid sleep 7654321 & until pgrep -f 'sleep 765432[1]' > /dev/null; \
                       do :; done; echo up; exit 0"),
            ]
        }))
        .await;
    crate::support::until_exited(&*pod, "app").await;
    assert_eq!(log(&*pod, "app").await, "up\n");
    assert!(!crate::support::runs_on_this_machine(marker));
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_hook_whose_command_is_missing_is_reported_and_term_follows_at_once() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [with(shell("app", PROMPT), json!({
            "lifecycle": { "preStop": { "exec": { "command": ["no-such-sleep", "30"] } } }
        }))] }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    let events = pod.timeline();
    let failed = LifecycleEvent::PreStopFailed {
        reason: "exec: `no-such-sleep`: not found in PATH".into(),
    };
    let term = LifecycleEvent::TermSent {
        not_before: None,
        kill_after_milliseconds: 30_000,
    };
    assert!(after(&events, &failed, &term) < Duration::from_millis(500));
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_hook_that_overruns_leaves_two_seconds() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({
            "terminationGracePeriodSeconds": 1,
            "containers": [with(shell("app", PROMPT), json!({
                "lifecycle": { "preStop": { "exec": { "command": ["sleep", "30"] } } }
            }))]
        }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    let events = pod.timeline();
    let overran = LifecycleEvent::PreStopOverran;
    let waited = after(&events, &LifecycleEvent::PreStopStarted, &overran);
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    let term = LifecycleEvent::TermSent {
        not_before: None,
        kill_after_milliseconds: 2000,
    };
    assert!(after(&events, &overran, &term) < Duration::from_millis(500));
    assert!(log(&*pod, "app").await.ends_with("term\n"));
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn an_exec_probe_holds_readiness_back_and_a_failed_liveness_probe_restarts() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [with(shell("app", PROMPT), json!({
            "startupProbe": { "exec": { "command": ["sh", "-c", "test -e /tmp/up || { \
                touch /tmp/up; echo not yet; exit 4; }"] }, "periodSeconds": 1 },
            "livenessProbe": { "exec": { "command": ["test", "!", "-e", "/tmp/sick"] },
                "periodSeconds": 1, "failureThreshold": 1 }
        }))] }))
        .await;
    let ready = until(&*pod, "readiness", |event| {
        event.event == LifecycleEvent::PodReady
    })
    .await;
    let events = pod.timeline();
    let probes: Vec<&TimelineEvent> = events
        .iter()
        .filter(|event| {
            matches!(
                event.event,
                LifecycleEvent::Probed {
                    probe: ProbeKind::Startup,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(
        probes[0].event,
        LifecycleEvent::Probed {
            probe: ProbeKind::Startup,
            success: false,
            detail: "exit code 4: not yet".into()
        }
    );
    assert_eq!(probes.len(), 2, "{events:#?}");
    assert!(ready.at >= probes[1].at);
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn an_exec_probe_that_hangs_is_killed() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [with(shell("app", PROMPT), json!({
            "readinessProbe": { "exec": { "command": ["sleep", "7654322"] }, "periodSeconds": 100 }
        }))] }))
        .await;
    let event = until(&*pod, "probe", |event| {
        matches!(event.event, LifecycleEvent::Probed { .. })
    })
    .await;
    assert_eq!(
        event.event,
        LifecycleEvent::Probed {
            probe: ProbeKind::Readiness,
            success: false,
            detail: "no answer within 1s".into()
        }
    );
    crate::support::until_nothing_runs("sleep 7654322").await;
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_killed_container_is_restarted() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [shell("app", PROMPT)] }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    pod.inject("app", ContainerFault::Kill)
        .await
        .expect("killed");
    until(&*pod, "second start", |event| {
        event.event == LifecycleEvent::Started { restart_count: 1 }
    })
    .await;
    let events = events_of(&*pod, "app");
    let killed = LifecycleEvent::FaultInjected {
        fault: "killed".into(),
    };
    let position = events.iter().position(|event| *event == killed);
    let position = position.expect("the fault is in the timeline");
    assert_eq!(
        events[position + 1..position + 3],
        [
            LifecycleEvent::Exited(ExitStatus::Signal(9)),
            LifecycleEvent::ContainerNotReady,
        ]
    );
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn a_paused_container_stands_still_goes_on_and_can_be_deleted() {
    let bench = Bench::new();
    let script = "sh -c 'while :; do echo tick; sleep 0.01; done' & echo ready; wait";
    let pod = bench
        .create(json!({
            "terminationGracePeriodSeconds": 1, "containers": [shell("app", script)]
        }))
        .await;
    until_logged(&*pod, "app", "tick").await;
    let ticks = async || log(&*pod, "app").await.matches("tick").count();
    pod.inject("app", ContainerFault::Pause)
        .await
        .expect("paused");
    let settled = ticks().await;
    // The one place where nothing is waited for: the absence of progress needs time to show.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let still = ticks().await;
    assert!(still <= settled + 1, "{settled} ticks became {still}");
    pod.inject("app", ContainerFault::Resume)
        .await
        .expect("resumed");
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while ticks().await <= still {
        assert!(tokio::time::Instant::now() < deadline, "no further tick");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pod.inject("app", ContainerFault::Pause)
        .await
        .expect("paused");
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    assert!(events_of(&*pod, "app").contains(&LifecycleEvent::KillSent));
    pod.remove().await.expect("removed");
}

#[tokio::test]
async fn no_grace_means_kill() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({
            "terminationGracePeriodSeconds": 0, "containers": [shell("app", PROMPT)]
        }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    pod.request_deletion().await.expect("asked");
    until_gone(&*pod).await;
    let events = events_of(&*pod, "app");
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, LifecycleEvent::TermSent { .. })),
        "{events:?}"
    );
    assert!(events.contains(&LifecycleEvent::KillSent));
    pod.remove().await.expect("removed");
}
