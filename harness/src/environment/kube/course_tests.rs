//! The timeline of a real kubelet, from what can be seen of it.

use serde_json::{Value, json};

use super::*;
use crate::environment::kube::container_course::moment;
use crate::environment::kube::term::{LEAST_GRACE_SECONDS, TellsOfTerm};
use crate::environment::observe::ProcessChange;
use crate::model::timeline::ExitStatus;

fn course(hook: Option<Value>) -> Course {
    let mut container =
        json!({ "name": "a", "startupProbe": { "exec": { "command": ["probe"] } } });
    if let Some(hook) = hook {
        container["lifecycle"] = json!({ "preStop": hook });
    }
    let pod: PodSpec = serde_json::from_value(json!({ "containers": [container] })).expect("a pod");
    Course::of(&pod, 30)
}

/// The course of a pod whose only container is the proxy.
fn proxys_course(hook: Option<Value>) -> Course {
    let mut course = course(hook);
    if let Some(mut container) = course.containers.remove("a") {
        container.tells_of_term = TellsOfTerm::Yes;
        course.containers.insert("a".into(), container);
    }
    course
}

fn term_of(events: &[TimelineEvent]) -> (Timestamp, Timestamp) {
    let term = events
        .iter()
        .find(|event| matches!(event.event, LifecycleEvent::TermSent { .. }))
        .expect("TERM");
    (term.earliest(), term.at)
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_790_000_000_000 + millisecond).expect("valid")
}

fn pod(metadata: &Value, state: &Value, ready: bool) -> Pod {
    serde_json::from_value(json!({
        "metadata": metadata,
        "status": {
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
            "containerStatuses": [{
                "name": "a", "restartCount": 0, "ready": ready, "started": ready, "image": "",
                "imageID": "", "containerID": "containerd://x", "state": state,
            }],
        },
    }))
    .expect("a pod")
}

fn running(ready: bool) -> Pod {
    pod(
        &json!({}),
        &json!({ "running": { "startedAt": at(0).to_string() } }),
        ready,
    )
}

fn deleted() -> Pod {
    pod(
        &json!({ "deletionTimestamp": at(30_000).to_string(), "deletionGracePeriodSeconds": 3 }),
        &json!({ "running": { "startedAt": at(0).to_string() } }),
        true,
    )
}

fn ended(code: i32) -> Pod {
    pod(
        &json!({ "deletionTimestamp": at(30_000).to_string(), "deletionGracePeriodSeconds": 3 }),
        &json!({ "terminated": {
            "exitCode": code, "containerID": "containerd://x", "finishedAt": at(10_000).to_string(),
        } }),
        false,
    )
}

fn kubelet(reason: &str, message: &str, count: i32) -> Event {
    serde_json::from_value(json!({
        "metadata": { "uid": reason }, "reason": reason, "message": message, "count": count,
        "involvedObject": { "fieldPath": "spec.containers{a}" },
    }))
    .expect("an event")
}

fn process(change: ProcessChange) -> ProcessReport {
    ProcessReport {
        container: Some("a".into()),
        change,
    }
}

fn names(events: &[TimelineEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| {
            let name = format!("{:?}", event.event);
            let end = name.find([' ', '(', '{']).unwrap_or(name.len());
            name[..end].to_owned()
        })
        .collect()
}

#[test]
fn a_start_is_told_once_however_often_the_status_repeats_it() {
    let mut course = course(None);
    assert_eq!(
        names(&course.status(at(500), &running(false))),
        ["PodCreated", "Started"]
    );
    assert_eq!(names(&course.status(at(600), &running(false))), [""; 0]);
    assert_eq!(
        names(&course.status(at(700), &running(true))),
        ["Probed", "StartupComplete", "ContainerReady", "PodReady"]
    );
}

#[test]
fn failed_probes_that_one_event_counts_are_each_told() {
    let mut course = course(None);
    let failed = |count| kubelet("Unhealthy", "Startup probe failed: no", count);
    assert_eq!(course.kubelet_event(at(0), &failed(1)).len(), 1);
    assert_eq!(course.kubelet_event(at(1), &failed(1)).len(), 0);
    assert_eq!(course.kubelet_event(at(2), &failed(3)).len(), 2);
}

#[test]
fn without_a_hook_term_is_sent_when_the_kubelet_stops_the_container() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    assert_eq!(
        names(&course.status(at(9000), &deleted())),
        ["DeletionRequested", "PodNotReady"]
    );
    let stopped = course.kubelet_event(at(9050), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&stopped), ["TermSent"]);
    assert_eq!(
        names(&course.status(at(10_500), &ended(0))),
        ["ContainerNotReady", "Exited"]
            .map(str::to_owned)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_stop_that_is_heard_of_before_the_deletion_waits_for_it() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    let early = course.kubelet_event(at(8990), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&early), [""; 0]);
    assert_eq!(
        names(&course.status(at(9000), &deleted())),
        ["DeletionRequested", "PodNotReady", "TermSent"]
    );
}

#[test]
fn with_a_hook_term_follows_the_end_of_the_hooks_process() {
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    let command = vec!["sleep".to_owned(), "1".to_owned()];
    let entered = process(ProcessChange::Entered {
        process: 7,
        command,
    });
    assert_eq!(
        names(&course.process(at(9010), &entered)),
        ["PreStopStarted"]
    );
    let stop = kubelet("Killing", "Stopping container a", 1);
    assert_eq!(names(&course.kubelet_event(at(9050), &stop)), [""; 0]);
    let left = course.process(at(10_020), &process(ProcessChange::Left { process: 7 }));
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
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "1"] } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    let probe = process(ProcessChange::Entered {
        process: 7,
        command: vec!["probe".into()],
    });
    assert_eq!(names(&course.process(at(9010), &probe)), [""; 0]);
}

#[test]
fn a_hook_that_uses_the_grace_period_up_has_overrun_and_not_failed() {
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.kubelet_event(at(9000), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(names(&course.tick(at(11_900))), [""; 0]);
    let overran = course.tick(at(12_000));
    assert_eq!(names(&overran), ["PreStopOverran", "TermSent"]);
    let failed = kubelet("FailedPreStopHook", "Exec lifecycle hook failed", 1);
    assert_eq!(names(&course.kubelet_event(at(14_000), &failed)), [""; 0]);
    assert_eq!(names(&course.tick(at(15_000))), [""; 0]);
}

#[test]
fn a_hook_that_cannot_run_has_failed_and_term_is_sent() {
    let mut course = course(Some(json!({ "exec": { "command": ["absent"] } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.kubelet_event(at(9010), &kubelet("Killing", "Stopping container a", 1));
    let failed = kubelet("FailedPreStopHook", "executable file not found", 1);
    assert_eq!(
        names(&course.kubelet_event(at(9100), &failed)),
        ["PreStopFailed", "TermSent"]
    );
}

#[test]
fn the_end_of_the_process_is_the_moment_of_the_exit() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.process(at(10_123), &process(ProcessChange::Ended));
    let events = course.status(at(11_000), &ended(137));
    let exited = events
        .iter()
        .find(|event| event.event == LifecycleEvent::Exited(ExitStatus::Code(137)))
        .expect("an exit");
    assert_eq!(exited.at, at(10_123));
}

#[test]
fn a_moment_in_whole_seconds_is_read_as_late_as_it_can_be() {
    assert_eq!(moment(at(5300), Some(at(5000))), at(5300));
    assert_eq!(moment(at(7300), Some(at(5000))), at(5999));
    assert_eq!(moment(at(4000), Some(at(5000))), at(5000));
}

#[test]
fn a_hook_cut_short_at_the_least_grace_period_has_overrun_as_well() {
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    course.status(at(0), &running(true));
    let mut deleted = deleted();
    deleted.metadata.deletion_grace_period_seconds = i64::try_from(LEAST_GRACE_SECONDS).ok();
    course.status(at(9000), &deleted);
    course.kubelet_event(at(9000), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(
        names(&course.tick(at(11_000))),
        ["PreStopOverran", "TermSent"]
    );
    let failed = kubelet("FailedPreStopHook", "Exec lifecycle hook failed", 1);
    assert_eq!(names(&course.kubelet_event(at(11_050), &failed)), [""; 0]);
}

#[test]
fn a_container_that_the_kubelet_has_lost_has_an_unknown_end_and_no_exit() {
    let mut course = course(None);
    course.status(at(0), &running(true));
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
    let seen = names(&course.status(at(9000), &lost));
    assert!(seen.contains(&"EndUnknown".to_owned()), "{seen:?}");
    assert!(!seen.contains(&"Exited".to_owned()), "{seen:?}");
}

#[test]
fn a_term_that_nobody_saw_lies_between_the_deletion_and_what_is_known_of_it() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    course.ask_deletion(at(8900));
    let deletion = course.status(at(9000), &deleted());
    assert_eq!(deletion[0].at, at(8900));
    let stopped = course.kubelet_event(at(9400), &kubelet("Killing", "Stopping container a", 1));
    assert_eq!(term_of(&stopped), (at(8900), at(9400)));
}

#[test]
fn the_proxys_own_word_of_its_term_is_waited_for_and_believed() {
    let mut course = proxys_course(None);
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    let stop = kubelet("Killing", "Stopping container a", 1);
    assert_eq!(names(&course.kubelet_event(at(9400), &stop)), [""; 0]);
    let told = course.told_of_term(at(9500), "a", at(9100));
    assert_eq!(names(&told), ["TermSent"]);
    assert_eq!(term_of(&told), (at(9100), at(9100)));
    assert_eq!(
        names(&course.status(at(9600), &ended(0))),
        ["Exited", "ContainerNotReady"]
    );
}

#[test]
fn a_proxy_that_never_tells_of_its_term_was_sent_it_by_the_kubelets_rules() {
    let mut course = proxys_course(None);
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.kubelet_event(at(9400), &kubelet("Killing", "Stopping container a", 1));
    let end = course.status(at(11_500), &ended(0));
    assert_eq!(term_of(&end), (at(9000), at(9400)));
}

#[test]
fn a_hook_that_its_deadline_has_ended_with_the_container_has_overrun() {
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    let command = vec!["sleep".to_owned(), "9".to_owned()];
    let entered = process(ProcessChange::Entered {
        process: 7,
        command,
    });
    course.process(at(9100), &entered);
    // The kubelet's three seconds began a little before the hook's process was seen.
    let left = course.process(at(12_050), &process(ProcessChange::Left { process: 7 }));
    assert_eq!(names(&left), ["PreStopOverran", "TermSent"]);
}

#[test]
fn a_pod_has_ended_when_its_containers_have_and_every_hook_was_seen() {
    let command = vec!["sleep".to_owned(), "1".to_owned()];
    let mut seen = course(Some(json!({ "exec": { "command": command } })));
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
        !seen.is_concluded(at(12_999)),
        "its failure may still be told of"
    );
    assert!(seen.is_concluded(at(13_000)));

    let mut unseen = course(Some(json!({ "exec": { "command": command } })));
    unseen.status(at(0), &running(true));
    unseen.status(at(9000), &deleted());
    unseen.status(at(11_000), &ended(0));
    assert!(
        !unseen.is_concluded(at(60_000)),
        "a failure may still be told of"
    );
}

#[test]
fn an_end_that_the_nodes_runtime_tells_of_needs_no_status_and_is_told_once() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.process(at(10_123), &process(ProcessChange::Ended));
    assert!(!course.is_concluded(at(11_000)));
    let told = course.process(
        at(10_200),
        &process(ProcessChange::EndedWith { exit_code: 143 }),
    );
    assert_eq!(names(&told), ["Exited"]);
    assert_eq!(told[0].at, at(10_123));
    assert!(course.is_concluded(at(11_000)));
    assert_eq!(
        names(&course.status(at(11_000), &ended(143))),
        ["ContainerNotReady"]
    );
}

#[test]
fn the_proxys_end_waits_a_moment_for_its_last_words() {
    let mut course = proxys_course(None);
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    course.process(at(9110), &process(ProcessChange::Ended));
    let end = process(ProcessChange::EndedWith { exit_code: 0 });
    assert_eq!(names(&course.process(at(9120), &end)), [""; 0]);
    let told = course.told_of_term(at(9200), "a", at(9100));
    assert_eq!(names(&told), ["TermSent"]);
    assert_eq!(names(&course.tick(at(9220))), ["Exited"]);

    let mut silent = proxys_course(None);
    silent.status(at(0), &running(true));
    silent.status(at(9000), &deleted());
    silent.process(at(9110), &process(ProcessChange::Ended));
    silent.process(at(9120), &end);
    assert_eq!(names(&silent.tick(at(10_200))), ["TermSent", "Exited"]);
}

#[test]
fn a_hooks_failure_that_is_heard_of_after_the_containers_end_was_before_its_term() {
    let mut course = course(Some(json!({ "exec": { "command": ["absent"] } })));
    course.status(at(0), &running(true));
    course.ask_deletion(at(9000));
    let mut events = course.status(at(9010), &deleted());
    events.extend(course.process(at(9200), &process(ProcessChange::Ended)));
    let end = process(ProcessChange::EndedWith { exit_code: 0 });
    let told = course.process(at(9210), &end);
    assert_eq!(names(&told), ["TermSent", "Exited"]);
    assert_eq!(term_of(&told), (at(9000), at(9200)));
    assert!(
        !course.is_concluded(at(11_000)),
        "the hook was not seen yet"
    );
    assert!(course.awaits_words_of_hooks(at(11_000)));
    let stop = kubelet("Killing", "Stopping container a", 1);
    let failed = kubelet("FailedPreStopHook", "no such file", 1);
    events = course.kubelet_event(at(10_100), &stop);
    events.extend(course.kubelet_event(at(10_500), &failed));
    assert_eq!(names(&events), ["PreStopStarted", "PreStopFailed"]);
    assert!(
        events.iter().all(|event| event.at == at(9000)),
        "{events:?}"
    );
    assert!(course.is_concluded(at(11_000)));
}

#[test]
fn a_hooks_failure_that_is_heard_of_after_a_guess_takes_its_place() {
    let begun = || {
        let mut course = course(Some(json!({ "exec": { "command": ["absent"] } })));
        course.status(at(0), &running(true));
        course.ask_deletion(at(9000));
        course.status(at(9010), &deleted());
        let stop = kubelet("Killing", "Stopping container a", 1);
        assert_eq!(
            names(&course.kubelet_event(at(9210), &stop)),
            ["PreStopStarted"]
        );
        let end = course.status(at(9420), &ended(0));
        assert_eq!(names(&end), ["TermSent", "Exited", "ContainerNotReady"]);
        assert!(!course.is_concluded(at(60_000)), "nobody saw the hook end");
        course
    };
    let mut failed = begun();
    let word = kubelet("FailedPreStopHook", "no such file", 1);
    let told = failed.kubelet_event(at(10_100), &word);
    assert_eq!(names(&told), ["PreStopFailed"]);
    assert_eq!(told[0].at, at(9210));
    assert!(failed.is_concluded(at(10_100)));
    assert_eq!(names(&failed.conclude()), [""; 0]);

    let told = begun().conclude();
    assert_eq!(names(&told), ["PreStopFinished"]);
    assert_eq!(told[0].at, at(10_000));
}

#[test]
fn a_hook_that_was_seen_to_end_may_have_failed_all_the_same() {
    let command = vec!["false".to_owned()];
    let mut course = course(Some(json!({ "exec": { "command": command } })));
    course.status(at(0), &running(true));
    course.status(at(9000), &deleted());
    let entered = ProcessChange::Entered {
        process: 7,
        command,
    };
    course.process(at(9010), &process(entered));
    course.process(at(9030), &process(ProcessChange::Left { process: 7 }));
    course.status(at(9100), &ended(0));
    let word = kubelet("FailedPreStopHook", "exited with 1", 1);
    let told = course.kubelet_event(at(9900), &word);
    assert_eq!(names(&told), ["PreStopFailed"]);
    assert_eq!(told[0].at, at(9030));
    assert!(course.is_concluded(at(9900)));
}

#[test]
fn a_failed_startup_probe_that_is_heard_of_after_the_success_was_before_it() {
    let mut course = course(None);
    course.status(at(0), &running(false));
    let success = course.status(at(700), &running(true));
    let failed = kubelet("Unhealthy", "Startup probe failed: no", 1);
    let late = course.kubelet_event(at(900), &failed);
    assert_eq!(names(&late), ["Probed"]);
    assert!(late[0].at < success[0].at, "{late:?}");
    let readiness = kubelet("Unhealthy", "Readiness probe failed: no", 2);
    assert_eq!(course.kubelet_event(at(950), &readiness)[0].at, at(950));
}

#[test]
fn a_container_that_the_kernel_ended_for_its_memory_is_told_of_as_such() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    let terminated = json!({ "terminated": {
        "exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://x",
        "finishedAt": at(10_000).to_string(),
    } });
    let killed = pod(&json!({}), &terminated, false);
    let events = names(&course.status(at(10_000), &killed));
    let end: Vec<&str> = events
        .iter()
        .map(String::as_str)
        .filter(|name| ["OutOfMemory", "Exited"].contains(name))
        .collect();
    assert_eq!(end, ["OutOfMemory", "Exited"]);
    assert_eq!(names(&course.status(at(10_100), &killed)), [""; 0]);
}

/// A pod whose container was started a second time, and what the status says of its first instance.
fn restarted(before: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {},
        "status": { "containerStatuses": [{
            "name": "a", "restartCount": 1, "ready": false, "started": false, "image": "",
            "imageID": "", "containerID": "containerd://y",
            "state": { "running": { "startedAt": at(12_000).to_string() } },
            "lastState": { "terminated": before },
        }] },
    }))
    .expect("a pod")
}

#[test]
fn the_runtimes_word_of_one_life_does_not_end_the_next() {
    let mut course = proxys_course(None);
    course.status(at(0), &running(true));
    course.process(at(10_100), &process(ProcessChange::Ended));
    let end = process(ProcessChange::EndedWith { exit_code: 137 });
    assert_eq!(names(&course.process(at(10_110), &end)), [""; 0]);
    let first = json!({ "exitCode": 137, "containerID": "containerd://x",
        "finishedAt": at(10_000).to_string() });
    let events = names(&course.status(at(12_100), &restarted(&first)));
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
    assert_eq!(names(&course.tick(at(13_000))), [""; 0]);
    // It comes a second time, from a runtime that is slow.
    assert_eq!(names(&course.process(at(13_100), &end)), [""; 0]);
    assert_eq!(names(&course.tick(at(15_000))), [""; 0]);
}

#[test]
fn a_hook_that_has_overrun_in_one_life_may_fail_in_the_next() {
    let mut course = course(Some(json!({ "exec": { "command": ["sleep", "9"] } })));
    course.status(at(0), &running(true));
    let stop = kubelet("Killing", "Container a failed liveness probe", 1);
    course.kubelet_event(at(1000), &stop);
    let overran = names(&course.tick(at(31_000)));
    assert_eq!(overran, ["PreStopOverran", "TermSent"]);
    let first = json!({ "exitCode": 137, "containerID": "containerd://x" });
    course.status(at(33_000), &restarted(&first));
    let failed = kubelet("FailedPreStopHook", "no such file", 1);
    assert_eq!(
        names(&course.kubelet_event(at(40_000), &failed)),
        ["PreStopStarted", "PreStopFailed", "TermSent"]
    );
}

#[test]
fn a_lost_life_is_told_of_before_the_next_begins_and_only_once() {
    let mut course = course(None);
    course.status(at(0), &running(true));
    let unknown = json!({ "exitCode": 137, "reason": "ContainerStatusUnknown",
        "message": "could not be located" });
    let events = names(&course.status(at(12_100), &restarted(&unknown)));
    assert_eq!(events[..3], ["EndUnknown", "Restarting", "Started"]);
    let again = names(&course.status(at(12_200), &restarted(&unknown)));
    assert_eq!(again, [""; 0]);
}
