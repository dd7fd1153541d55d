//! Tests of the rehearsed kubelet: restarts, and containers that cannot start.

use super::*;

#[tokio::test(start_paused = true)]
async fn restarts_back_off_and_say_so() {
    let script = Script {
        ends: Some((1, 1)),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(40, None).await;
    assert_eq!(
        times(&events, |event| matches!(event, E::Started { .. })),
        // Ends at 1, 2, 13 and 34 seconds; waits 0, 10 and 20 seconds.
        [0, 1000, 12_000, 33_000]
    );
    let reasons: Vec<String> = names(&events)
        .into_iter()
        .filter_map(|event| match event {
            E::Restarting { reason } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons[0], "the container ended with exit code 1");
    assert_eq!(
        reasons[1],
        "CrashLoopBackOff: back-off 10s: the container ended with exit code 1"
    );
}

#[tokio::test(start_paused = true)]
async fn the_restart_policy_decides() {
    for (policy, code, restarts) in [
        (RestartPolicy::Always, 0, true),
        (RestartPolicy::OnFailure, 0, false),
        (RestartPolicy::OnFailure, 1, true),
        (RestartPolicy::Never, 1, false),
    ] {
        let script = Script {
            ends: Some((1, code)),
            ..obedient()
        };
        let world = World::one(container("app"), script).policy(policy);
        let events = world.run(5, None).await;
        let restarted = names(&events).contains(&E::Started { restart_count: 1 });
        assert_eq!(restarted, restarts, "{policy:?} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_probe_restarts_under_on_failure_even_after_a_clean_exit() {
    let rules = ContainerRules {
        liveness: Some(exec()),
        ..container("app")
    };
    let world = World::one(rules, healthy_from(1000)).policy(RestartPolicy::OnFailure);
    let events = world.run(25, None).await;
    assert!(names(&events).contains(&E::Exited(ExitStatus::Code(0))));
    assert!(names(&events).contains(&E::Started { restart_count: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_failed_liveness_probe_ends_the_container_for_good_under_never() {
    let rules = ContainerRules {
        liveness: Some(exec()),
        ..container("app")
    };
    let world = World::one(rules, healthy_from(1000)).policy(RestartPolicy::Never);
    let events = world.run(60, None).await;
    assert!(names(&events).contains(&E::Exited(ExitStatus::Code(0))));
    assert!(
        !names(&events)
            .iter()
            .any(|event| matches!(event, E::Restarting { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_a_configuration_error_and_leaves_the_others_alone() {
    let script = Script {
        start_fault: Some(StartFault::Configuration {
            reason: "secret \"x\" not found".into(),
        }),
        ..obedient()
    };
    let world = World::new(vec![
        (container("agent"), vec![script]),
        (container("app"), vec![obedient()]),
    ]);
    let events = world.run(5, Some(3)).await;
    assert!(names(&events).contains(&E::Restarting {
        reason: "CreateContainerConfigError: secret \"x\" not found".into()
    }));
    assert_eq!(times(&events, |event| *event == E::ContainerReady).len(), 1);
    assert!(!names(&events).contains(&E::PodReady));
    assert_eq!(names(&events).last(), Some(&E::PodGone));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_cannot_be_made_counts_as_exit_code_128_and_backs_off() {
    let script = Script {
        start_fault: Some(StartFault::Process {
            reason: "exec: `x`: not found in PATH".into(),
        }),
        ..obedient()
    };
    let events = World::one(container("app"), script).run(11, None).await;
    assert_eq!(
        times(&events, |event| *event == E::Exited(ExitStatus::Code(128))),
        [0, 0, 10_000]
    );
}
