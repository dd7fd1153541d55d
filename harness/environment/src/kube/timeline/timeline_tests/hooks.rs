//! Tests of a pod's timeline: preStop hooks: seen, guessed, failed and overrun.

use super::*;

#[test]
fn without_a_hook_term_is_sent_when_the_kubelet_stops_the_container() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    assert_eq!(
        names(&recorder.status(at(9000), &deleted())),
        ["DeletionRequested", "PodNotReady"]
    );
    let stopped = recorder.kubelet_event(at(9050), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&stopped), ["TermSent"]);
    assert_eq!(
        names(&recorder.status(at(10_500), &ended(0))),
        ["ContainerNotReady", "Exited"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
}

#[test]
fn with_a_hook_term_follows_the_end_of_the_hooks_process() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    let command = vec!["sleep".to_owned(), "1".to_owned()];
    let entered = process(ProcessChange::Entered {
        process: 7,
        command,
    });
    assert_eq!(
        names(&recorder.process(at(9010), &entered)),
        ["PreStopStarted"]
    );
    let stop = kubelet("Killing", "Stopping container a", 1);
    assert_eq!(names(&recorder.kubelet_event(at(9050), &stop)), [""; 0]);
    let left = recorder.process(at(10_020), &process(ProcessChange::Left { process: 7 }));
    assert_eq!(names(&left), ["PreStopFinished", "TermSent"]);
    assert_eq!(
        left[1].event,
        LifecycleEvent::TermSent {
            not_before: None,
            kill_after_milliseconds: 2000
        }
    );
}

#[test]
fn a_probes_process_is_not_taken_for_the_hook() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    let probe = process(ProcessChange::Entered {
        process: 7,
        command: vec!["probe".into()],
    });
    assert_eq!(names(&recorder.process(at(9010), &probe)), [""; 0]);
}

#[test]
fn a_hook_that_uses_the_grace_period_up_has_overrun_and_not_failed() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.kubelet_event(at(9000), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&recorder.tick(at(11_900))), [""; 0]);
    let overran = recorder.tick(at(12_000));
    assert_eq!(names(&overran), ["PreStopOverran", "TermSent"]);
    let failed = kubelet("FailedPreStopHook", "Exec lifecycle hook failed", 1);
    assert_eq!(names(&recorder.kubelet_event(at(14_000), &failed)), [""; 0]);
    assert_eq!(names(&recorder.tick(at(15_000))), [""; 0]);
}

#[test]
fn a_hook_that_cannot_run_has_failed_and_term_is_sent() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["absent"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.kubelet_event(at(9010), &kubelet("Killing", "Stopping container a", 1));
    let failed = kubelet("FailedPreStopHook", "executable file not found", 1);
    assert_eq!(
        names(&recorder.kubelet_event(at(9100), &failed)),
        ["PreStopFailed", "TermSent"]
    );
}

#[test]
fn a_hook_cut_short_at_the_least_grace_period_has_overrun_as_well() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    recorder.status(at(0), &running(true));
    let mut deleted = deleted();
    deleted.metadata.deletion_grace_period_seconds = i64::try_from(LEAST_GRACE_SECONDS).ok();
    recorder.status(at(9000), &deleted);
    recorder.kubelet_event(at(9000), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(
        names(&recorder.tick(at(11_000))),
        ["PreStopOverran", "TermSent"]
    );
    let failed = kubelet("FailedPreStopHook", "Exec lifecycle hook failed", 1);
    assert_eq!(names(&recorder.kubelet_event(at(11_050), &failed)), [""; 0]);
}

#[test]
fn a_hook_that_its_deadline_has_ended_with_the_container_has_overrun() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    let command = vec!["sleep".to_owned(), "9".to_owned()];
    let entered = process(ProcessChange::Entered {
        process: 7,
        command,
    });
    recorder.process(at(9100), &entered);
    // The kubelet's three seconds began a little before the hook's process was seen.
    let left = recorder.process(at(12_050), &process(ProcessChange::Left { process: 7 }));
    assert_eq!(names(&left), ["PreStopOverran", "TermSent"]);
}

#[test]
fn a_pod_has_ended_when_its_containers_have_and_every_hook_was_seen() {
    let command = vec!["sleep".to_owned(), "1".to_owned()];
    let mut seen = recorder(Some(json!({ "exec": { "command": command } })));
    seen.status(at(0), &running(true));
    seen.status(at(9000), &deleted());
    let entered = process(ProcessChange::Entered {
        process: 7,
        command: command.clone(),
    });
    seen.process(at(9010), &entered);
    assert!(!seen.is_concluded(at(11_000)));
    seen.process(at(10_010), &process(ProcessChange::Left { process: 7 }));
    seen.status(at(11_000), &ended(0));
    assert!(
        !seen.is_concluded(at(15_999)),
        "its failure may still be reported"
    );
    assert!(seen.is_concluded(at(16_000)));

    let mut unseen = recorder(Some(json!({ "exec": { "command": command } })));
    unseen.status(at(0), &running(true));
    unseen.status(at(9000), &deleted());
    unseen.status(at(11_000), &ended(0));
    assert!(
        !unseen.is_concluded(at(60_000)),
        "a failure may still be reported"
    );
}

#[test]
fn a_hooks_failure_that_is_heard_of_after_the_containers_end_was_before_its_term() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["absent"] } })));
    recorder.status(at(0), &running(true));
    recorder.ask_deletion(at(9000));
    let mut events = recorder.status(at(9010), &deleted());
    events.extend(recorder.process(at(9200), &process(ProcessChange::Ended)));
    let end = process(ProcessChange::EndedWith { exit_code: 0 });
    let added = recorder.process(at(9210), &end);
    assert_eq!(names(&added), ["TermSent", "Exited"]);
    assert_eq!(term_of(&added), (at(9000), at(9200)));
    assert!(
        !recorder.is_concluded(at(11_000)),
        "the hook was not seen yet"
    );
    assert!(recorder.awaits_signals_of_hooks(at(11_000)));
    let stop = kubelet("Killing", "Stopping container a", 1);
    let failed = kubelet("FailedPreStopHook", "no such file", 1);
    events = recorder.kubelet_event(at(10_100), &stop);
    events.extend(recorder.kubelet_event(at(10_500), &failed));
    assert_eq!(names(&events), ["PreStopStarted", "PreStopFailed"]);
    assert!(
        events.iter().all(|event| event.at == at(9000)),
        "{events:?}"
    );
    assert!(recorder.is_concluded(at(11_000)));
}

#[test]
fn a_hooks_failure_that_is_heard_of_after_a_guess_takes_its_place() {
    let begun = || {
        let mut recorder = recorder(Some(json!({ "exec": { "command": ["absent"] } })));
        recorder.status(at(0), &running(true));
        recorder.ask_deletion(at(9000));
        recorder.status(at(9010), &deleted());
        let stop = kubelet("Killing", "Stopping container a", 1);
        assert_eq!(
            names(&recorder.kubelet_event(at(9210), &stop)),
            ["PreStopStarted"]
        );
        let end = recorder.status(at(9420), &ended(0));
        assert_eq!(names(&end), ["TermSent", "Exited", "ContainerNotReady"]);
        assert!(
            !recorder.is_concluded(at(60_000)),
            "the hook was not seen to end"
        );
        recorder
    };
    let mut failed = begun();
    let signal = kubelet("FailedPreStopHook", "no such file", 1);
    let added = failed.kubelet_event(at(10_100), &signal);
    assert_eq!(names(&added), ["PreStopFailed"]);
    assert_eq!(added[0].at, at(9210));
    assert!(failed.is_concluded(at(10_100)));
    assert_eq!(names(&failed.conclude()), [""; 0]);

    let added = begun().conclude();
    assert_eq!(names(&added), ["PreStopFinished"]);
    assert_eq!(added[0].at, at(10_000));
}

#[test]
fn a_hook_that_was_seen_to_end_may_have_failed_all_the_same() {
    let command = vec!["false".to_owned()];
    let mut recorder = recorder(Some(json!({ "exec": { "command": command } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    let entered = ProcessChange::Entered {
        process: 7,
        command,
    };
    recorder.process(at(9010), &process(entered));
    recorder.process(at(9030), &process(ProcessChange::Left { process: 7 }));
    recorder.status(at(9100), &ended(0));
    let signal = kubelet("FailedPreStopHook", "exited with 1", 1);
    let added = recorder.kubelet_event(at(9900), &signal);
    assert_eq!(names(&added), ["PreStopFailed"]);
    assert_eq!(added[0].at, at(9030));
    assert!(recorder.is_concluded(at(9900)));
}

#[test]
fn a_failed_hook_that_is_heard_of_before_the_deletion_waits_for_it() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["absent"] } })));
    recorder.status(at(0), &running(true));
    recorder.ask_deletion(at(8500));
    let failed = kubelet("FailedPreStopHook", "no such file", 1);
    assert_eq!(names(&recorder.kubelet_event(at(8900), &failed)), [""; 0]);
    let added = recorder.status(at(9000), &deleted());
    assert_eq!(
        names(&added),
        [
            "DeletionRequested",
            "PodNotReady",
            "PreStopStarted",
            "PreStopFailed",
            "TermSent"
        ]
    );
    assert_eq!(term_of(&added), (at(8500), at(8900)));
}

#[test]
fn a_hook_that_was_not_observed_leaves_the_containers_end_unknown() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    recorder.status(at(0), &running(true));
    recorder.ask_deletion(at(9000));
    recorder.status(at(9000), &deleted());
    recorder.status(at(11_000), &ended(0));
    assert_eq!(names(&recorder.conclude()), ["EndUnknown"]);
}

#[test]
fn a_hook_that_the_kubelet_says_failed_at_its_deadline_has_overrun() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.kubelet_event(at(9300), &kubelet("Killing", "Stopping container a", 1));
    let failed = kubelet("FailedPreStopHook", "Exec lifecycle hook failed", 1);
    let added = recorder.kubelet_event(at(12_050), &failed);
    assert_eq!(names(&added), ["PreStopOverran", "TermSent"]);
    assert_eq!(term_of(&added), (at(12_000), at(12_050)));
}

#[test]
fn without_a_grace_period_no_hook_is_owed() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    recorder.status(at(0), &running(true));
    let mut forced = deleted();
    forced.metadata.deletion_grace_period_seconds = Some(0);
    recorder.status(at(9000), &forced);
    let mut end = ended(137);
    end.metadata.deletion_grace_period_seconds = Some(0);
    recorder.status(at(11_000), &end);
    assert_eq!(names(&recorder.conclude()), [""; 0]);
}
