//! Reads what a pod's status says of its containers, one record per time that a container was started.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};

use harness_core::model::timeline::ExitStatus;

/// What the kubelet calls the end of a container that it finds no more.
const STATUS_UNKNOWN: &str = "ContainerStatusUnknown";

/// One start of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) struct InstanceView {
    /// The runtime's id, as the status has it.
    pub id: String,
    /// How often the container was restarted before.
    pub restart_count: u32,
    /// When it was started, in whole seconds.
    pub started_at: Option<Timestamp>,
    /// How and when it ended, in whole seconds; none while it runs.
    pub end: Option<(ExitStatus, Option<Timestamp>)>,
    /// The kubelet's reason for that end: `OOMKilled`, `Error`, `Completed`.
    pub reason: Option<String>,
}

/// What the status says of one container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) struct ContainerView {
    /// Its name.
    pub name: String,
    /// The instances that the status still knows, oldest first: at most two.
    pub instances: Vec<InstanceView>,
    /// Whether the startup probe has succeeded, or there is none.
    pub started: bool,
    /// Whether it counts as ready.
    pub ready: bool,
    /// The kubelet's message where it has lost an instance and cannot say how it ended.
    pub lost: Option<String>,
    /// Why it does not run yet or again: `ImagePullBackOff: …`.
    pub waiting: Option<String>,
}

/// Returns what the status says of each container, native sidecars first.
pub(in crate::kube) fn containers(pod: &Pod) -> Vec<ContainerView> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let sidecars = status.init_container_statuses.iter().flatten();
    sidecars
        .chain(status.container_statuses.iter().flatten())
        .map(view)
        .collect()
}

/// Returns whether the pod counts as ready.
pub(in crate::kube) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready") == Some("True")
}

/// Returns what the scheduler says while the pod has no node.
pub(super) fn scheduling(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")?;
    scheduled.message.clone()
}

/// Describes in one line how far the pod is, for a time-out.
pub(in crate::kube) fn describe(pod: &Pod) -> String {
    if let Some(message) = scheduling(pod) {
        return format!("not scheduled: {message}");
    }
    let parts: Vec<String> = containers(pod)
        .into_iter()
        .map(|container| {
            let state = match (&container.waiting, container.instances.last()) {
                (Some(reason), _) => format!("waits: {reason}"),
                (
                    None,
                    Some(InstanceView {
                        end: Some((status, _)),
                        ..
                    }),
                ) => {
                    format!("ended with {}", status.as_container_exit_code())
                }
                (None, Some(_)) if container.ready => "ready".into(),
                (None, Some(_)) => "runs".into(),
                (None, None) => "is not there".into(),
            };
            format!("{} {state}", container.name)
        })
        .collect();
    if parts.is_empty() {
        return "no status yet".into();
    }
    parts.join(", ")
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some(found.status.as_str())
}

fn view(status: &ContainerStatus) -> ContainerView {
    let count = u32::try_from(status.restart_count).unwrap_or_default();
    let state = status.state.clone().unwrap_or_default();
    let runs_or_ended = state.running.is_some() || state.terminated.is_some();
    let mut instances = Vec::new();
    if let Some(ContainerState {
        terminated: Some(last),
        ..
    }) = &status.last_state
    {
        // While nothing runs the count is that of the last instance.
        let before = if runs_or_ended {
            count.saturating_sub(1)
        } else {
            count
        };
        instances.extend(ended(last, before));
    }
    if let Some(running) = &state.running {
        instances.push(InstanceView {
            id: status.container_id.clone().unwrap_or_default(),
            restart_count: count,
            started_at: running.started_at.as_ref().map(|time| time.0),
            end: None,
            reason: None,
        });
    }
    if let Some(terminated) = &state.terminated {
        instances.extend(ended(terminated, count));
    }
    let before = status.last_state.clone().unwrap_or_default();
    let lost = [state.terminated.as_ref(), before.terminated.as_ref()]
        .into_iter()
        .flatten()
        .find(|ended| {
            ended.container_id.as_deref().unwrap_or_default().is_empty()
                && ended.reason.as_deref() == Some(STATUS_UNKNOWN)
        })
        .map(|ended| ended.message.clone().unwrap_or_default());
    ContainerView {
        name: status.name.clone(),
        lost,
        instances,
        started: status.started.unwrap_or(false),
        ready: status.ready,
        waiting: state.waiting.map(|waiting| {
            let reason = waiting.reason.unwrap_or_default();
            match waiting.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason,
            }
        }),
    }
}

/// Reads the end of an instance; none of one that never ran (no id).
fn ended(state: &ContainerStateTerminated, restart_count: u32) -> Option<InstanceView> {
    let id = state.container_id.clone().filter(|id| !id.is_empty())?;
    let status = match state.signal {
        Some(signal) if signal > 0 => ExitStatus::Signal(signal),
        Some(_) | None => ExitStatus::Code(state.exit_code),
    };
    Some(InstanceView {
        id,
        restart_count,
        started_at: state.started_at.as_ref().map(|time| time.0),
        end: Some((status, state.finished_at.as_ref().map(|time| time.0))),
        reason: state.reason.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(
            json!({ "metadata": {}, "status": { "containerStatuses": [status] } }),
        )
        .expect("a pod")
    }

    #[test]
    fn a_container_in_its_back_off_shows_how_its_last_instance_ended() {
        let pod = pod(&json!({
            "name": "a", "restartCount": 1, "ready": false, "image": "", "imageID": "",
            "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } },
            "lastState": { "terminated": { "exitCode": 2, "containerID": "containerd://b",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z" } },
        }));
        let view = &containers(&pod)[0];
        assert_eq!(view.instances.len(), 1);
        assert_eq!(view.instances[0].restart_count, 1);
        assert_eq!(
            view.instances[0].end.map(|(status, _)| status),
            Some(ExitStatus::Code(2))
        );
        assert_eq!(describe(&pod), "a waits: CrashLoopBackOff: back-off 10s");
    }

    #[test]
    fn a_restarted_container_shows_both_instances_with_their_numbers() {
        let pod = pod(&json!({
            "name": "a", "restartCount": 3, "ready": true, "image": "", "imageID": "",
            "containerID": "containerd://c",
            "state": { "running": { "startedAt": "2026-01-01T00:00:02Z" } },
            "lastState": { "terminated": { "exitCode": 137, "containerID": "containerd://b" } },
        }));
        let counts: Vec<(u32, bool)> = containers(&pod)[0]
            .instances
            .iter()
            .map(|instance| (instance.restart_count, instance.end.is_some()))
            .collect();
        assert_eq!(counts, [(2, true), (3, false)]);
    }
}
