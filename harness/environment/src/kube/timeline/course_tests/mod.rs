//! The timeline of a real kubelet, from what can be seen of it.

use serde_json::{Value, json};

use super::*;
use crate::kube::timeline::container_course::moment;
use crate::kube::timeline::term::{LEAST_GRACE_SECONDS, TellsOfTerm};
use crate::observe::ProcessChange;
use harness_core::model::timeline::ExitStatus;

mod hooks;
mod lives;
mod stops;

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
