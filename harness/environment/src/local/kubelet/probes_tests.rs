//! Tests of the rehearsed kubelet: start-up, probes and readiness.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_container_without_probes_is_ready_once_it_runs() {
    let events = World::one(container("app"), obedient()).run(1, None).await;
    assert_eq!(
        names(&events),
        [
            E::PodCreated,
            E::Started { restart_count: 0 },
            E::StartupComplete,
            E::ContainerReady,
            E::PodReady,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn containers_start_in_the_order_of_the_list() {
    let world = World::new(vec![
        (container("proxy"), vec![obedient()]),
        (container("app"), vec![obedient()]),
        (container("agent"), vec![obedient()]),
    ]);
    let events = world.run(1, None).await;
    let started: Vec<_> = events
        .iter()
        .filter(|(_, _, event)| matches!(event, E::Started { .. }))
        .map(|(_, name, _)| name.clone().expect("a container"))
        .collect();
    assert_eq!(started, ["proxy", "app", "agent"]);
}

#[tokio::test(start_paused = true)]
async fn the_startup_probe_holds_back_the_other_probes_and_readiness() {
    let rules = ContainerRules {
        startup: Some(http(0)),
        readiness: Some(http(0)),
        liveness: Some(http(0)),
        ..container("app")
    };
    let events = World::one(rules, healthy_from(15)).run(41, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Startup),
        [(0, false), (10_000, false), (20_000, true)]
    );
    assert_eq!(
        times(&events, |event| *event == E::StartupComplete),
        [20_000]
    );
    assert_eq!(probes(&events, ProbeKind::Readiness)[0], (20_000, true));
    assert!(probes(&events, ProbeKind::Liveness)[0].0 >= 20_000);
    assert_eq!(times(&events, |event| *event == E::PodReady), [20_000]);
}

#[tokio::test(start_paused = true)]
async fn a_startup_probe_that_keeps_failing_restarts_the_container_which_never_gets_ready() {
    let rules = ContainerRules {
        startup: Some(http(0)),
        ..container("app")
    };
    let events = World::one(rules, healthy_from(1000)).run(40, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Startup)[..3],
        [(0, false), (10_000, false), (20_000, false)]
    );
    assert!(names(&events).contains(&E::TermSent {
        not_before: None,
        kill_after_milliseconds: 30_000
    }));
    let reason = names(&events)
        .into_iter()
        .find_map(|event| match event {
            E::Restarting { reason } => Some(reason),
            _ => None,
        })
        .expect("a restart");
    assert_eq!(reason, "the startup probe failed: status 503");
    assert_eq!(
        times(&events, |event| matches!(
            event,
            E::Started { restart_count: 1 }
        )),
        [20_000],
        "the first restart comes at once"
    );
    assert!(times(&events, |event| *event == E::ContainerReady).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_initial_delay_is_over_at_the_first_beat_after_it() {
    let mut readiness = http(0);
    readiness.initial_delay = Duration::from_secs(5);
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let events = World::one(rules, obedient()).run(11, None).await;
    assert_eq!(probes(&events, ProbeKind::Readiness), [(10_000, true)]);
}

#[tokio::test(start_paused = true)]
async fn readiness_comes_and_goes_with_its_thresholds() {
    let mut readiness = http(0);
    readiness.period = Duration::from_secs(1);
    readiness.success_threshold = 2;
    readiness.failure_threshold = 3;
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let script = Script {
        healthy: Some((5, 10)),
        ..obedient()
    };
    let events = World::one(rules, script).run(20, None).await;
    assert_eq!(times(&events, |event| *event == E::PodReady), [6000]);
    assert_eq!(times(&events, |event| *event == E::PodNotReady), [12_000]);
    assert!(times(&events, |event| matches!(event, E::Restarting { .. })).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_pod_is_ready_when_its_last_container_is() {
    let rules = |name, port| ContainerRules {
        readiness: Some(http(port)),
        ..container(name)
    };
    let world = World::new(vec![
        (rules("proxy", 0), vec![obedient()]),
        (rules("agent", 1), vec![healthy_from(25)]),
    ]);
    let events = world.run(40, None).await;
    assert_eq!(
        times(&events, |event| *event == E::ContainerReady),
        [0, 30_000]
    );
    assert_eq!(times(&events, |event| *event == E::PodReady), [30_000]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_ends_the_container_with_the_probes_own_grace() {
    let mut liveness = exec();
    liveness.grace = Some(Duration::from_secs(4));
    let rules = ContainerRules {
        liveness: Some(liveness),
        pre_stop: Some(hook()),
        ..container("app")
    };
    let script = Script {
        healthy: Some((0, 5)),
        obeys_term_after: None,
        ..obedient()
    };
    let events = World::one(rules, script).run(35, None).await;
    assert_eq!(
        probes(&events, ProbeKind::Liveness)[..4],
        [(0, true), (10_000, false), (20_000, false), (30_000, false)]
    );
    let names = names(&events);
    assert!(
        names.contains(&E::PreStopFinished { exit_code: Some(0) }),
        "{names:?}"
    );
    assert!(
        names.contains(&E::TermSent {
            not_before: None,
            kill_after_milliseconds: 4000
        }),
        "{names:?}"
    );
    assert_eq!(times(&events, |event| *event == E::KillSent), [34_000]);
    assert_eq!(
        times(&events, |event| matches!(
            event,
            E::Started { restart_count: 1 }
        )),
        [34_000]
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_a_failure() {
    let mut readiness = exec();
    readiness.timeout = Duration::from_secs(2);
    let rules = ContainerRules {
        readiness: Some(readiness),
        ..container("app")
    };
    let world = World::one(rules, obedient());
    world.runtime.exec_takes.set(3);
    let events = world.run(5, None).await;
    assert_eq!(probes(&events, ProbeKind::Readiness), [(2000, false)]);
}

#[tokio::test(start_paused = true)]
async fn statuses_from_200_to_399_and_serving_are_success() {
    for (answer, expected) in [
        (DialAnswer::Status(199), false),
        (DialAnswer::Status(200), true),
        (DialAnswer::Status(399), true),
        (DialAnswer::Status(400), false),
        (DialAnswer::Health(1), true),
        (DialAnswer::Health(2), false),
        (DialAnswer::Connected, true),
    ] {
        let rules = ContainerRules {
            readiness: Some(http(0)),
            ..container("app")
        };
        let world = World::one(rules, obedient());
        world.runtime.answer.set(Some(answer));
        let events = world.run(1, None).await;
        assert_eq!(
            probes(&events, ProbeKind::Readiness),
            [(0, expected)],
            "{answer:?}"
        );
    }
}
