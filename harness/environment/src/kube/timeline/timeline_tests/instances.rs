//! Tests of a pod's timeline: one start of a container to its end, and the next.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

#[test]
fn a_start_is_in_the_timeline_once_however_often_the_status_repeats_it() {
    let mut recorder = recorder(None);
    assert_eq!(
        names(&recorder.status(at(500), &running(false))),
        ["PodCreated", "Started"]
    );
    assert_eq!(names(&recorder.status(at(600), &running(false))), [""; 0]);
    assert_eq!(
        names(&recorder.status(at(700), &running(true))),
        ["Probed", "StartupComplete", "ContainerReady", "PodReady"]
    );
}

#[test]
fn the_end_of_the_process_is_the_moment_of_the_exit() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.process(at(10_123), &process(ProcessChange::Ended));
    let events = recorder.status(at(11_000), &ended(137));
    let exited = events
        .iter()
        .find(|event| event.event == LifecycleEvent::Exited(ExitStatus::Code(137)))
        .expect("an exit");
    assert_eq!(exited.at, at(10_123));
}

#[test]
fn a_container_that_the_kubelet_has_lost_has_an_unknown_end_and_no_exit() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    let lost: Pod = serde_json::from_value(json!({
        "metadata": { "deletionTimestamp": at(30_000).to_string() },
        "status": { "containerStatuses": [{
            "name": "a", "restartCount": 0, "ready": false, "image": "", "imageID": "",
            "state": { "waiting": { "reason": "ContainerCreating" } },
            "lastState": { "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown",
                "message": "could not be located" } },
        }] },
    }))
    .expect("a pod");
    let seen = names(&recorder.status(at(9000), &lost));
    assert!(seen.contains(&"EndUnknown".to_owned()), "{seen:?}");
    assert!(!seen.contains(&"Exited".to_owned()), "{seen:?}");
}

#[test]
fn an_end_that_the_nodes_runtime_reports_needs_no_status_and_comes_once() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.process(at(10_123), &process(ProcessChange::Ended));
    assert!(!recorder.is_concluded(at(11_000)));
    let added = recorder.process(
        at(10_200),
        &process(ProcessChange::EndedWith { exit_code: 143 }),
    );
    assert_eq!(names(&added), ["Exited"]);
    assert_eq!(added[0].at, at(10_123));
    assert!(recorder.is_concluded(at(11_000)));
    assert_eq!(
        names(&recorder.status(at(11_000), &ended(143))),
        ["ContainerNotReady"]
    );
}

#[test]
fn the_proxys_end_waits_a_moment_for_its_last_lines() {
    let mut recorder = proxys_recorder(None);
    recorder.status(at(0), &running(true));
    recorder.status(at(9000), &deleted());
    recorder.process(at(9110), &process(ProcessChange::Ended));
    let end = process(ProcessChange::EndedWith { exit_code: 0 });
    assert_eq!(names(&recorder.process(at(9120), &end)), [""; 0]);
    let added = recorder.term_received(at(9200), "a", at(9100));
    assert_eq!(names(&added), ["TermSent"]);
    assert_eq!(names(&recorder.tick(at(9220))), ["Exited"]);

    let mut silent = proxys_recorder(None);
    silent.status(at(0), &running(true));
    silent.status(at(9000), &deleted());
    silent.process(at(9110), &process(ProcessChange::Ended));
    silent.process(at(9120), &end);
    assert_eq!(names(&silent.tick(at(10_200))), ["TermSent", "Exited"]);
}

#[test]
fn a_container_that_the_kernel_ended_for_its_memory_is_out_of_memory() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    let terminated = json!({ "terminated": {
        "exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://x",
        "finishedAt": at(10_000).to_string(),
    } });
    let killed = pod(&json!({}), &terminated, false);
    let events = names(&recorder.status(at(10_000), &killed));
    let end: Vec<&str> = events
        .iter()
        .map(String::as_str)
        .filter(|name| ["OutOfMemory", "Exited"].contains(name))
        .collect();
    assert_eq!(end, ["OutOfMemory", "Exited"]);
    assert_eq!(names(&recorder.status(at(10_100), &killed)), [""; 0]);
}

#[test]
fn the_runtimes_report_of_one_instance_does_not_end_the_next() {
    let mut recorder = proxys_recorder(None);
    recorder.status(at(0), &running(true));
    recorder.process(at(10_100), &process(ProcessChange::Ended));
    let end = process(ProcessChange::EndedWith { exit_code: 137 });
    assert_eq!(names(&recorder.process(at(10_110), &end)), [""; 0]);
    let first = json!({ "exitCode": 137, "containerID": "containerd://x",
        "finishedAt": at(10_000).to_string() });
    let events = names(&recorder.status(at(12_100), &restarted(&first)));
    assert_eq!(
        events,
        [
            "Exited",
            "Restarting",
            "Started",
            "ContainerNotReady",
            "PodNotReady"
        ]
    );
    assert_eq!(names(&recorder.tick(at(13_000))), [""; 0]);
    // It comes a second time, from a runtime that is slow.
    assert_eq!(names(&recorder.process(at(13_100), &end)), [""; 0]);
    assert_eq!(names(&recorder.tick(at(15_000))), [""; 0]);
}

#[test]
fn a_lost_instance_comes_before_the_next_and_only_once() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    let unknown = json!({ "exitCode": 137, "reason": "ContainerStatusUnknown",
        "message": "could not be located" });
    let events = names(&recorder.status(at(12_100), &restarted(&unknown)));
    assert_eq!(events[..3], ["EndUnknown", "Restarting", "Started"]);
    let again = names(&recorder.status(at(12_200), &restarted(&unknown)));
    assert_eq!(again, [""; 0]);
}

#[test]
fn an_instance_whose_end_the_kubelet_never_reported_has_an_unknown_end() {
    let mut recorder = recorder(None);
    recorder.status(at(0), &running(true));
    let events = recorder.status(at(12_100), &restarted(&Value::Null));
    assert_eq!(names(&events)[..3], ["EndUnknown", "Restarting", "Started"]);
    assert_eq!(events[0].at, events[2].at);
}

#[test]
fn a_hook_that_has_overrun_in_one_instance_may_fail_in_the_next() {
    let mut recorder = recorder(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    recorder.status(at(0), &running(true));
    let stop = kubelet("Killing", "Container a failed liveness probe", 1);
    recorder.kubelet_event(at(1000), &stop);
    let overran = names(&recorder.tick(at(31_000)));
    assert_eq!(overran, ["PreStopOverran", "TermSent"]);
    let first = json!({ "exitCode": 137, "containerID": "containerd://x" });
    recorder.status(at(33_000), &restarted(&first));
    let failed = kubelet("FailedPreStopHook", "no such file", 1);
    assert_eq!(
        names(&recorder.kubelet_event(at(40_000), &failed)),
        ["PreStopStarted", "PreStopFailed", "TermSent"]
    );
}

#[test]
fn a_signal_of_an_instance_that_is_over_is_not_charged_to_the_next() {
    let hook = json!({ "exec": { "command": ["absent"] } });
    let mut recorder = recorder(Some(hook));
    recorder.status(at(0), &running(true));
    let first = json!({ "exitCode": 0, "containerID": "containerd://x",
        "finishedAt": at(11_000).to_string() });
    recorder.status(at(12_100), &restarted(&first));
    for reason in ["Killing", "FailedPreStopHook"] {
        let mut late = kubelet(reason, "failed liveness probe", 1);
        late.last_timestamp = Some(Time(at(10_000)));
        assert_eq!(names(&recorder.kubelet_event(at(12_300), &late)), [""; 0]);
        let mut own = kubelet(reason, "failed liveness probe", 2);
        own.last_timestamp = Some(Time(at(12_000)));
        assert_ne!(names(&recorder.kubelet_event(at(12_400), &own)), [""; 0]);
    }
}
