//! The timeline of a real kubelet, from what can be seen of it.

use serde_json::{Value, json};

use super::*;
use crate::kube::timeline::fact::moment;
use crate::kube::timeline::term::{LEAST_GRACE_SECONDS, ReportsTerm};
use crate::observe::ProcessChange;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};

mod arrival;
mod hooks;
mod instances;
mod stops;
mod turns;

fn beginning(hook: Option<Value>) -> PodState {
    let mut container =
        json!({ "name": "a", "startupProbe": { "exec": { "command": ["probe"] } } });
    if let Some(hook) = hook {
        container["lifecycle"] = json!({ "preStop": hook });
    }
    let pod: PodSpec = serde_json::from_value(json!({ "containers": [container] })).expect("a pod");
    PodState::of(&pod, 30)
}

/// The state of a pod whose only container is the proxy.
fn proxys_beginning(hook: Option<Value>) -> PodState {
    let mut beginning = beginning(hook);
    for container in beginning.containers.values_mut() {
        container.reports_term = ReportsTerm::Yes;
    }
    beginning
}

fn recorder(hook: Option<Value>) -> PodRecorder {
    PodRecorder::beginning_with(beginning(hook))
}

fn proxys_recorder(hook: Option<Value>) -> PodRecorder {
    PodRecorder::beginning_with(proxys_beginning(hook))
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
