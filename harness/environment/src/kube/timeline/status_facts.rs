//! The facts in a pod's status.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::fact::{ContainerFact, EndCause, Observation, Readiness, What};
use crate::kube::api::status::{self, ContainerView, InstanceView};

/// What the kubelet calls the end of a container that took more memory than its limit.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// Returns what a status says, in the order in which it is to be read.
pub(super) fn observations(heard_at: Timestamp, pod: &Pod) -> Vec<Observation> {
    let mut found = vec![Observation::undated(heard_at, What::Exists)];
    if pod.metadata.deletion_timestamp.is_some() {
        let grace = pod.metadata.deletion_grace_period_seconds;
        let deletion = What::BeingDeleted {
            grace_seconds: grace.and_then(|grace| u64::try_from(grace).ok()),
        };
        found.push(Observation::undated(heard_at, deletion));
    }
    for view in status::containers(pod) {
        of_container(heard_at, view, &mut found);
    }
    let readiness = Readiness::of(status::is_ready(pod));
    found.push(Observation::undated(
        heard_at,
        What::PodReadiness(readiness),
    ));
    found
}

fn of_container(heard_at: Timestamp, view: ContainerView, found: &mut Vec<Observation>) {
    let name = view.name;
    let mut say = |dated: Option<Timestamp>, what: ContainerFact| {
        let container = name.clone();
        let what = What::OfContainer { container, what };
        found.push(Observation::dated(heard_at, dated, what));
    };
    if let Some(reason) = view.lost {
        let known = view.instances.iter().map(|instance| instance.id.clone());
        let known = known.collect();
        say(None, ContainerFact::Lost { reason, known });
    }
    for instance in view.instances {
        let InstanceView {
            id,
            restart_count,
            started_at,
            end,
            reason,
        } = instance;
        let started = ContainerFact::InstanceStarted {
            id: id.clone(),
            restart_count,
        };
        say(started_at, started);
        let Some((status, finished_at)) = end else {
            continue;
        };
        let cause = if reason.as_deref() == Some(OUT_OF_MEMORY) {
            EndCause::OutOfMemory
        } else {
            EndCause::Other
        };
        say(
            finished_at,
            ContainerFact::InstanceEnded { id, status, cause },
        );
    }
    if view.started {
        say(None, ContainerFact::StartupComplete);
    }
    say(None, ContainerFact::Readiness(Readiness::of(view.ready)));
}
