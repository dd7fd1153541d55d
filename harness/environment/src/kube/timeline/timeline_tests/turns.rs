//! Tests of a pod's timeline: the TERM of a native sidecar, which comes when what it serves has ended.

use super::*;

/// A pod whose container `a` is served by the sidecar `s`, which may have a hook.
fn recorder_of_sidecar(hook: Option<Value>) -> PodRecorder {
    let mut sidecar = json!({ "name": "s", "restartPolicy": "Always" });
    if let Some(hook) = hook {
        sidecar["lifecycle"] = json!({ "preStop": hook });
    }
    let pod: PodSpec = serde_json::from_value(json!({
        "initContainers": [sidecar], "containers": [{ "name": "a" }],
    }))
    .expect("a pod");
    let mut recorder = PodRecorder::beginning_with(PodState::of(&pod, 30));
    recorder.status(at(0), &status(&json!({}), None, None));
    recorder.ask_deletion(at(9000));
    recorder.status(at(9000), &being_deleted(None, None));
    recorder
}

/// The pod; a container of which nothing is said runs, and one that has ended did so in this second.
fn status(metadata: &Value, main: Option<i64>, sidecar: Option<i64>) -> Pod {
    let of = |name: &str, ended: Option<i64>| {
        let id = format!("containerd://{name}");
        let state = match ended {
            None => json!({ "running": { "startedAt": at(0).to_string() } }),
            Some(second) => json!({ "terminated": {
                "exitCode": 0, "containerID": id, "finishedAt": at(second * 1000).to_string(),
            } }),
        };
        json!({
            "name": name, "restartCount": 0, "ready": ended.is_none(), "started": true, "image": "",
            "imageID": "", "containerID": id, "state": state,
        })
    };
    serde_json::from_value(json!({
        "metadata": metadata,
        "status": {
            "conditions": [{ "type": "Ready", "status": "True" }],
            "initContainerStatuses": [of("s", sidecar)],
            "containerStatuses": [of("a", main)],
        },
    }))
    .expect("a pod")
}

fn being_deleted(main: Option<i64>, sidecar: Option<i64>) -> Pod {
    let metadata =
        json!({ "deletionTimestamp": at(39_000).to_string(), "deletionGracePeriodSeconds": 30 });
    status(&metadata, main, sidecar)
}

fn stops_sidecar() -> Event {
    serde_json::from_value(json!({
        "metadata": { "uid": "stops" }, "reason": "Killing", "message": "Stopping container s",
        "count": 1, "involvedObject": { "fieldPath": "spec.initContainers{s}" },
    }))
    .expect("an event")
}

fn of(container: &str, change: ProcessChange) -> ProcessReport {
    ProcessReport {
        container: Some(container.into()),
        change,
    }
}

fn of_sidecar(events: Vec<TimelineEvent>) -> Vec<TimelineEvent> {
    let is_its = |event: &TimelineEvent| event.container.as_deref() == Some("s");
    events.into_iter().filter(is_its).collect()
}

/// The milliseconds from TERM to KILL.
fn kill_after_of(events: &[TimelineEvent]) -> u64 {
    let left = events.iter().find_map(|event| match event.event {
        LifecycleEvent::TermSent {
            kill_after_milliseconds,
            ..
        } => Some(kill_after_milliseconds),
        _ => None,
    });
    left.expect("TERM")
}

#[test]
fn a_sidecar_is_sent_term_when_what_it_serves_has_ended_and_not_when_the_kubelet_says_that_it_stops_it()
 {
    let mut recorder = recorder_of_sidecar(None);
    let stopped = recorder.kubelet_event(at(9100), &stops_sidecar());
    assert_eq!(names(&of_sidecar(stopped)), [""; 0]);
    let ended = of_sidecar(recorder.process(at(15_600), &of("a", ProcessChange::Ended)));
    assert_eq!(names(&ended), ["TermSent"]);
    assert_eq!(term_of(&ended), (at(15_600), at(15_600)));
    assert_eq!(kill_after_of(&ended), 24_000);
}

#[test]
fn where_only_statuses_say_so_term_lies_between_the_earliest_end_and_what_is_heard() {
    let mut recorder = recorder_of_sidecar(None);
    let ended = of_sidecar(recorder.status(at(16_300), &being_deleted(Some(15), None)));
    assert_eq!(term_of(&ended), (at(15_000), at(15_999)));
    assert_eq!(kill_after_of(&ended), 24_000);
}

#[test]
fn both_ends_in_one_status_leave_a_term_between_them() {
    let mut recorder = recorder_of_sidecar(None);
    let ended = of_sidecar(recorder.status(at(18_000), &being_deleted(Some(15), Some(17))));
    let names = names(&ended);
    let without_readiness = names.iter().filter(|name| *name != "ContainerNotReady");
    assert!(without_readiness.eq(["TermSent", "Exited"]), "{names:?}");
    let (earliest, latest) = term_of(&ended);
    assert!(earliest >= at(15_000) && latest <= at(17_999), "{ended:?}");
}

#[test]
fn a_sidecar_that_ends_before_its_turn_is_sent_nothing() {
    let mut recorder = recorder_of_sidecar(None);
    recorder.kubelet_event(at(9100), &stops_sidecar());
    recorder.process(at(9500), &of("s", ProcessChange::Ended));
    let exit = of("s", ProcessChange::EndedWith { exit_code: 0 });
    let mut events = recorder.process(at(9600), &exit);
    events.extend(recorder.process(at(15_600), &of("a", ProcessChange::Ended)));
    assert_eq!(names(&of_sidecar(events)), ["Exited"]);
}

#[test]
fn a_hook_that_ends_before_its_turn_is_followed_by_term_when_it_comes() {
    let hook = json!({ "exec": { "command": ["hook"] } });
    let mut recorder = recorder_of_sidecar(Some(hook));
    let entered = ProcessChange::Entered {
        process: 7,
        command: vec!["hook".into()],
    };
    let mut events = recorder.process(at(9100), &of("s", entered));
    events.extend(recorder.process(at(11_000), &of("s", ProcessChange::Left { process: 7 })));
    assert_eq!(
        names(&of_sidecar(events)),
        ["PreStopStarted", "PreStopFinished"]
    );
    let ended = of_sidecar(recorder.process(at(15_600), &of("a", ProcessChange::Ended)));
    assert_eq!(term_of(&ended), (at(15_600), at(15_600)));
    // A second for the hook, and four for the wait, each without what is over a whole one.
    assert_eq!(kill_after_of(&ended), 25_000);
}

#[test]
fn ends_that_are_heard_of_together_leave_the_turn_to_the_sidecar() {
    let mut recorder = recorder_of_sidecar(None);
    let mut events = recorder.process(at(15_600), &of("s", ProcessChange::Ended));
    let exit = of("s", ProcessChange::EndedWith { exit_code: 0 });
    events.extend(recorder.process(at(15_601), &exit));
    events.extend(recorder.process(at(15_650), &of("a", ProcessChange::Ended)));
    assert_eq!(names(&of_sidecar(events)), ["TermSent", "Exited"]);
}

#[test]
fn a_sidecar_is_waited_for_no_longer_than_the_grace_period() {
    let mut recorder = recorder_of_sidecar(None);
    let mut events = recorder.process(at(39_400), &of("s", ProcessChange::Ended));
    let exit = of("s", ProcessChange::EndedWith { exit_code: 0 });
    events.extend(recorder.process(at(39_500), &exit));
    events.extend(recorder.process(at(41_800), &of("a", ProcessChange::Ended)));
    let events = of_sidecar(events);
    assert_eq!(names(&events), ["TermSent", "Exited"]);
    assert_eq!(term_of(&events), (at(39_000), at(39_000)));
}

#[test]
fn what_is_heard_late_of_a_sidecar_that_missed_its_turn_adds_no_term() {
    let mut recorder = recorder_of_sidecar(None);
    recorder.process(at(9500), &of("s", ProcessChange::Ended));
    let exit = of("s", ProcessChange::EndedWith { exit_code: 0 });
    let mut events = recorder.process(at(9600), &exit);
    events.extend(recorder.process(at(15_600), &of("a", ProcessChange::Ended)));
    events.extend(recorder.kubelet_event(at(15_700), &stops_sidecar()));
    events.extend(recorder.conclude());
    assert_eq!(names(&of_sidecar(events)), ["Exited"]);
}

#[test]
fn a_pod_that_is_gone_early_has_no_term_of_the_future() {
    let mut recorder = recorder_of_sidecar(None);
    assert_eq!(names(&of_sidecar(recorder.conclude())), [""; 0]);
}

#[test]
fn a_turn_that_never_comes_ends_with_the_grace_period() {
    let mut recorder = recorder_of_sidecar(None);
    let mut events = recorder.process(at(39_400), &of("s", ProcessChange::Ended));
    let exit = of("s", ProcessChange::EndedWith { exit_code: 0 });
    events.extend(recorder.process(at(39_500), &exit));
    assert_eq!(names(&of_sidecar(events)), [""; 0]);
    let last = of_sidecar(recorder.conclude());
    assert_eq!(names(&last), ["TermSent", "Exited"]);
    assert_eq!(term_of(&last), (at(39_000), at(39_000)));
}
