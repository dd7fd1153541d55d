//! Tests of the rehearsed kubelet: a pod that is deleted: hooks, TERM and KILL.

use super::*;

#[tokio::test(start_paused = true)]
async fn readiness_goes_first_and_hooks_start_together() {
    let rules = |name| ContainerRules {
        pre_stop: Some(hook()),
        ..container(name)
    };
    let script = |seconds| Script {
        hook: (seconds, 0),
        ..obedient()
    };
    let world = World::new(vec![
        (rules("proxy"), vec![script(5)]),
        (rules("agent"), vec![script(8)]),
    ]);
    let events = world.run(60, Some(10)).await;
    let deletion = events
        .iter()
        .position(|(_, _, event)| matches!(event, E::DeletionRequested { .. }))
        .expect("requested");
    assert_eq!(
        names(&events)[deletion..deletion + 4],
        [
            E::DeletionRequested {
                grace_period_seconds: 30
            },
            E::PodNotReady,
            E::PreStopStarted,
            E::PreStopStarted,
        ]
    );
    assert_eq!(
        times(&events, |event| *event == E::PreStopStarted),
        [10_000, 10_000]
    );
    let terms: Vec<_> = events
        .iter()
        .filter_map(|(at, name, event)| match event {
            E::TermSent {
                not_before: None,
                kill_after_milliseconds,
            } => Some((
                *at,
                name.as_deref().expect("a container"),
                *kill_after_milliseconds,
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        terms,
        [(15_000, "proxy", 25_000), (18_000, "agent", 22_000)]
    );
    assert_eq!(times(&events, |event| *event == E::PodGone), [18_000]);
}

#[tokio::test(start_paused = true)]
async fn the_hooks_time_counts_towards_the_grace_period() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (20, 0),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).run(60, Some(1)).await;
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 10_000
    }));
    assert_eq!(times(&events, |event| *event == E::KillSent), [31_000]);
    assert!(names(&events).contains(&E::Exited(ExitStatus::Signal(9))));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_overruns_leaves_two_seconds_once() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (100, 0),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).grace(10).run(60, Some(1)).await;
    assert_eq!(
        times(&events, |event| *event == E::PreStopOverran),
        [11_000]
    );
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 2000
    }));
    assert_eq!(times(&events, |event| *event == E::KillSent), [13_000]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_failing_hook_is_reported_and_term_follows_at_once() {
    for (script, reason) in [
        (
            Script {
                hook_is_missing: true,
                ..obedient()
            },
            "exec: `hook`: not found in PATH",
        ),
        (
            Script {
                hook: (0, 7),
                ..obedient()
            },
            "`hook` exited with 7",
        ),
    ] {
        let rules = ContainerRules {
            pre_stop: Some(hook()),
            ..container("app")
        };
        let events = World::one(rules, script).run(5, Some(1)).await;
        let failed = E::PreStopFailed {
            reason: reason.into(),
        };
        assert_eq!(times(&events, |event| *event == failed), [1000]);
        assert_eq!(
            times(&events, |event| matches!(event, E::TermSent { .. })),
            [1000]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleep_hook_and_an_http_hook_finish_without_an_exit_code() {
    let sleep = PreStopHook::Sleep(Duration::from_secs(3));
    let ProbeCheck::Dial(dial) = http(0).check else {
        unreachable!("an HTTP probe dials");
    };
    for (pre_stop, at) in [(sleep, 4000), (PreStopHook::Dial(dial), 1000)] {
        let rules = ContainerRules {
            pre_stop: Some(pre_stop),
            ..container("app")
        };
        // The answer is 503: the status of an HTTP hook does not matter.
        let events = World::one(rules, healthy_from(1000)).run(5, Some(1)).await;
        let finished = E::PreStopFinished { exit_code: None };
        assert_eq!(times(&events, |event| *event == finished), [at]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_during_its_hook_gets_no_term() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (20, 0),
        ends: Some((5, 0)),
        ..obedient()
    };
    let events = World::one(rules, script).run(60, Some(1)).await;
    assert!(times(&events, |event| matches!(event, E::TermSent { .. })).is_empty());
    assert_eq!(times(&events, |event| *event == E::PodGone), [5000]);
}

#[tokio::test(start_paused = true)]
async fn no_grace_means_kill_without_hook_or_term() {
    let rules = ContainerRules {
        pre_stop: Some(hook()),
        ..container("app")
    };
    let events = World::one(rules, obedient()).grace(0).run(5, Some(1)).await;
    assert_eq!(times(&events, |event| *event == E::KillSent), [1000]);
    assert!(
        times(&events, |event| matches!(
            event,
            E::TermSent { .. } | E::PreStopStarted
        ))
        .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_but_readiness_is_probed_and_nothing_restarted_during_deletion() {
    let rules = ContainerRules {
        readiness: Some(ProbeRules {
            failure_threshold: 1,
            ..http(0)
        }),
        liveness: Some(http(0)),
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        hook: (25, 0),
        healthy: Some((0, 12)),
        ..obedient()
    };
    let world = World::one(rules, script);
    let serving = world.state.serving();
    let events = world.run(120, Some(11)).await;
    let probed = |kind| {
        times(
            &events,
            |event| matches!(event, E::Probed { probe, .. } if *probe == kind),
        )
    };
    let liveness = probed(ProbeKind::Liveness);
    assert!(liveness.iter().all(|at| *at <= 11_000), "{liveness:?}");
    assert_eq!(probed(ProbeKind::Readiness), [0, 10_000, 20_000, 30_000]);
    // A Service that uses terminating endpoints leads to the pod until then.
    assert_eq!(times(&events, |event| *event == E::PodNotReady), [11_000]);
    assert_eq!(
        times(&events, |event| *event == E::ContainerNotReady),
        [20_000]
    );
    assert!(!*serving.borrow());
    assert!(
        !names(&events)
            .iter()
            .any(|event| matches!(event, E::Restarting { .. }))
    );
    assert_eq!(times(&events, |event| *event == E::PodGone), [36_000]);
}

#[tokio::test(start_paused = true)]
async fn a_container_in_back_off_is_gone_at_once_when_the_pod_is_deleted() {
    let script = Script {
        ends: Some((1, 1)),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(30, Some(5)).await;
    assert_eq!(times(&events, |event| *event == E::PodGone), [5000]);
    assert_eq!(
        times(&events, |event| matches!(event, E::Started { .. })).len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn asking_for_deletion_twice_changes_nothing() {
    let world = World::one(container("app"), obedient());
    let state = Rc::clone(&world.state);
    state.request_deletion(Duration::from_secs(30));
    let events = world.run(5, Some(1)).await;
    let requests = times(&events, |event| {
        matches!(event, E::DeletionRequested { .. })
    });
    assert_eq!(requests.len(), 1);
    assert_eq!(names(&events).last(), Some(&E::PodGone));
}
