//! Tries where a Service leads whose only pod is being deleted and serves, before scenarios rely on it.
//!
//! No version shows it: it is up to what writes the nodes' rules. The pod of the trial has a hook that holds its TERM back. A second Service of the same
//! pod, which is then made to select nothing, shows when the driver's node has taken in what came before: once that one refuses, the first one's answer
//! is the node's last word.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ExecAction, Lifecycle, LifecycleHandler, Pod};
use kube::api::{Api, DeleteParams};

use crate::EnvironmentFault;
use crate::kube::api::fault::ask;
use crate::kube::api::{objects, status};
use crate::kube::space::run_space::RunSpace;
use crate::kube::trials::service_refusal::{RefusalSeen, await_refusal};
use crate::kube::trials::trial::Trial;
use crate::kube::trials::trial_service::{
    PORT, ask_from_driver, await_no_endpoint, make_service, remove_pod, remove_service,
};
use crate::service_answers::{REACHED_WITHIN, ServiceAnswers};
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::terminating_endpoints::TerminatingEndpoints;

/// The Service, its pod, and the role of the pod.
const TRIAL: &str = "terminating-trial";
/// The Service that shows how far the node is.
const MARKER: &str = "terminating-trial-marker";
/// The role of no pod.
const NO_ROLE: &str = "terminating-trial-nothing";
/// How long the pod stays once it is being deleted; it is removed before.
const GRACE_SECONDS: i64 = 120;
/// How long the Service is asked once the node knows of the deletion.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// What a Service does with a pod that is being deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) enum TerminatingReach {
    /// It was seen.
    Seen(TerminatingEndpoints),
    /// It could not be seen, as a phrase that follows "Services of pods that are being deleted".
    Unseen(String),
    /// No scenario needs to know.
    NotTried,
}

impl TerminatingReach {
    /// Returns what the report says of it.
    pub(in crate::kube) fn fact(&self) -> String {
        match self {
            Self::Seen(TerminatingEndpoints::Used) => {
                "lead to a pod that is being deleted where there is no other".into()
            }
            Self::Seen(TerminatingEndpoints::Unused) => {
                "refuse connections once their only pod is being deleted".into()
            }
            Self::Unseen(words) => words.clone(),
            Self::NotTried => {
                "not tried with a pod that is being deleted: no selected scenario needs it".into()
            }
        }
    }

    /// Returns the features that follow from it.
    pub(in crate::kube) fn features(&self) -> FeatureSet {
        match self {
            Self::Seen(seen) => FeatureSet::from([seen.feature()]),
            Self::Unseen(_) | Self::NotTried => FeatureSet::new(),
        }
    }

    /// Returns why the cluster does not have one of the two features.
    pub(in crate::kube) fn why_not(&self, feature: Feature) -> Option<String> {
        match feature {
            Feature::TerminatingEndpointsUnused | Feature::TerminatingEndpointsUsed => {
                Some(format!("Services {}", self.fact()))
            }
            _ => None,
        }
    }

    fn of(marker: RefusalSeen, of_service: &ServiceAnswers, of_pod: &ServiceAnswers) -> Self {
        if marker == RefusalSeen::StillAccepted {
            return Self::Unseen("are not followed by the nodes in time".into());
        }
        if of_pod.answered == 0 {
            return Self::Unseen("cannot be tried: a pod with a hook does not serve".into());
        }
        let ServiceAnswers {
            connections,
            answered,
            ..
        } = *of_service;
        match answered {
            0 => Self::Seen(TerminatingEndpoints::Unused),
            _ if answered == connections => Self::Seen(TerminatingEndpoints::Used),
            _ => Self::Unseen(format!(
                "lead to a pod that is being deleted now and then: {answered} of {connections} connections were answered"
            )),
        }
    }
}

fn pod_address(pod: &Pod) -> Result<SocketAddr, EnvironmentFault> {
    let status = pod.status.as_ref();
    let ip: Option<IpAddr> = status.and_then(|status| status.pod_ip.as_ref()?.parse().ok());
    let ip = ip.ok_or_else(|| EnvironmentFault::PodLost {
        reason: format!("the pod `{TRIAL}` has no address"),
    })?;
    Ok(SocketAddr::new(ip, PORT))
}

/// Tries it where a scenario needs it, and removes what it took.
pub(in crate::kube) async fn try_terminating(
    space: &RunSpace,
    trial: Trial,
    say: &(impl Fn(&str) + Sync),
) -> Result<TerminatingReach, EnvironmentFault> {
    match trial {
        Trial::Needed => {}
        Trial::NotNeeded => return Ok(TerminatingReach::NotTried),
    }
    say("trying where a Service leads whose pod is being deleted");
    let namespace = space.own_namespace().await?;
    let address = make_service(space, namespace, TRIAL, TRIAL).await?;
    let marker = make_service(space, namespace, MARKER, TRIAL).await?;
    let mut pod = held_back(space);
    space.images.pulls.put_into_pod(&mut pod);
    space.apply(namespace, TRIAL, &pod).await?;
    let (_, started) = tokio::try_join!(
        space.driver_pods(),
        space.await_pod(namespace, TRIAL, status::is_ready)
    )?;
    let mut unreached = None;
    for reached in [address, marker] {
        let answers = ask_from_driver(space, reached, 1, REACHED_WITHIN).await?;
        if answers.answered == 0 {
            unreached = answers.last_failure.or(unreached);
        }
    }
    let reach = if let Some(failure) = unreached {
        let failure = failure.escape_debug();
        TerminatingReach::Unseen(format!("reach no pod at all: {failure}"))
    } else {
        let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
        let action = format!("ask for the deletion of the pod `{TRIAL}`");
        ask(&action, pods.delete(TRIAL, &DeleteParams::default())).await?;
        await_no_endpoint(space, namespace, TRIAL).await?;
        make_service(space, namespace, MARKER, NO_ROLE).await?;
        let marker = await_refusal(space, &marker.to_string()).await?;
        // One pod is there: two are never reached, and the Service is asked for the whole of the time.
        let of_service = ask_from_driver(space, address, 2, ASKED_FOR).await?;
        let of_pod = ask_from_driver(space, pod_address(&started)?, 1, ASKED_FOR).await?;
        TerminatingReach::of(marker, &of_service, &of_pod)
    };
    remove_pod(space, namespace, TRIAL).await?;
    await_refusal(space, &address.to_string()).await?;
    remove_service(space, namespace, TRIAL).await?;
    remove_service(space, namespace, MARKER).await?;
    Ok(reach)
}

/// Makes the pod: it answers connections, and a hook that ends with its container holds its TERM back.
fn held_back(space: &RunSpace) -> Pod {
    let mut pod = objects::answering(TRIAL, TRIAL, PORT, &space.run, &space.images.driver);
    let spec = pod.spec.get_or_insert_default();
    spec.termination_grace_period_seconds = Some(GRACE_SECONDS);
    for container in &mut spec.containers {
        container.lifecycle = Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(ExecAction {
                    command: Some(objects::command("stand-by")),
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        });
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(connections: u64, answered: u64) -> ServiceAnswers {
        ServiceAnswers {
            connections,
            answered,
            ..ServiceAnswers::default()
        }
    }

    #[test]
    fn a_service_uses_the_pod_only_where_every_connection_is_answered() {
        let reach = |of_service, answered_by_pod| {
            let of_pod = answers(1, answered_by_pod);
            TerminatingReach::of(RefusalSeen::Yes, &of_service, &of_pod)
        };
        let features = |reach: TerminatingReach| reach.features().into_iter().collect::<Vec<_>>();
        let used = [Feature::TerminatingEndpointsUsed];
        let unused = [Feature::TerminatingEndpointsUnused];
        assert_eq!(features(reach(answers(9, 9), 1)), used);
        assert_eq!(features(reach(answers(9, 0), 1)), unused);
        // By rules that were about to go, or with a connection lost on a busy node: a guess would run the wrong scenario.
        for some in [1, 8] {
            let unseen = reach(answers(9, some), 1);
            assert!(
                unseen.fact().contains(&format!("{some} of 9")),
                "{unseen:?}"
            );
            assert_eq!(features(unseen), []);
        }
        let reason = reach(answers(9, 0), 1).why_not(Feature::TerminatingEndpointsUsed);
        assert!(reason.is_some_and(|reason| reason.contains("refuse connections")));
        assert_eq!(reach(answers(9, 0), 1).why_not(Feature::Rollout), None);
    }

    #[test]
    fn a_slow_node_and_a_pod_that_does_not_serve_show_nothing() {
        let of_service = answers(9, 9);
        for unseen in [
            TerminatingReach::of(RefusalSeen::StillAccepted, &of_service, &answers(1, 1)),
            TerminatingReach::of(RefusalSeen::Yes, &of_service, &answers(1, 0)),
        ] {
            assert!(matches!(unseen, TerminatingReach::Unseen(_)), "{unseen:?}");
            assert!(unseen.features().is_empty());
        }
    }
}
