//! Asks the observer of a node, which is started there when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::sleep;

use super::exec::{Exec, ask_line, exec};
use super::fault::{bounded, fault, is_refused_by_policy};
use super::objects::{self, OBSERVER};
use super::run_space::RunSpace;
use crate::environment::EnvironmentFault;
use crate::environment::observe::{
    ContainerId, LONGEST_REPLY, ObserveReply, ObserveRequest, ProcessChange, ProcessReport,
};
use crate::model::causes::chain;
use crate::model::digest::sha256;
use crate::model::feature::{Feature, FeatureSet};

/// Whether the cluster lets the harness look into containers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Observing {
    /// A privileged pod is let in.
    Allowed,
    /// A policy of the cluster refuses it.
    Forbidden {
        /// The policy's words.
        words: String,
    },
}

impl Observing {
    /// Reads what the API answers to a privileged pod. Only a policy's refusal says that there is none to be had: where a permission is missing, a
    /// quota is used up or the pod is malformed, the cluster has not been asked yet.
    fn of<T>(answer: Result<T, kube::Error>) -> Result<Self, EnvironmentFault> {
        match answer {
            Ok(_) => Ok(Self::Allowed),
            Err(kube::Error::Api(status)) if is_refused_by_policy(&status) => Ok(Self::Forbidden {
                words: status.message,
            }),
            Err(error) => Err(fault(TRY_OBSERVER, &error)),
        }
    }

    /// Returns what the report says of it.
    pub(super) fn fact(&self) -> String {
        match self {
            Self::Allowed => "by a privileged pod on the node".into(),
            Self::Forbidden { words } => {
                format!("not possible: the cluster lets no privileged pod in: {words}")
            }
        }
    }

    /// Returns the features that follow from it: when a hook ends, what is in a read-only root's volumes, and how a container is paused,
    /// only its node tells.
    pub(super) fn features(&self) -> FeatureSet {
        match self {
            Self::Allowed => FeatureSet::from(NEED_THE_NODE),
            Self::Forbidden { .. } => FeatureSet::new(),
        }
    }

    /// Returns why a feature is missing that a look at the node would give.
    pub(super) fn why_not(&self, feature: Feature) -> Option<String> {
        match self {
            Self::Forbidden { .. } if NEED_THE_NODE.contains(&feature) => {
                Some(format!("looking into containers is {}", self.fact()))
            }
            Self::Allowed | Self::Forbidden { .. } => None,
        }
    }
}

/// The features that a look at the node gives.
const NEED_THE_NODE: [Feature; 3] = [
    Feature::ContainerFaults,
    Feature::PreStopExec,
    Feature::ReadOnlyRootfs,
];

/// How long a watch that has ended too early is left alone: the status tells of an end a moment after the observer did.
const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the observer may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// What is asked first.
const TRY_OBSERVER: &str = "try a privileged pod";
/// How much of a node's digest is in its observer's name.
const DIGEST_LENGTH: usize = 10;

/// The observers of a run, by node.
#[derive(Debug, Default)]
pub(super) struct Observers {
    started: Mutex<BTreeMap<String, Arc<OnceCell<()>>>>,
}

impl Observers {
    /// Asks whether the cluster lets a privileged pod in; nothing is made.
    pub(super) async fn are_allowed(space: &RunSpace) -> Result<Observing, EnvironmentFault> {
        let namespace = space.own_namespace().await?;
        let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
        let mut pod = objects::observer(OBSERVER, &space.run, &space.images.driver, None);
        space.images.pulls.put_into_pod(&mut pod);
        let trial = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let answer = bounded(TRY_OBSERVER, pods.create(&trial, &pod)).await?;
        let observing = Observing::of(answer)?;
        tracing::info!(observing = observing.fact(), "containers are looked into");
        Ok(observing)
    }

    /// Asks the observer of a node one question.
    pub(super) async fn ask(
        &self,
        space: &RunSpace,
        node: &str,
        request: &ObserveRequest,
    ) -> Result<ObserveReply, EnvironmentFault> {
        let (pods, name) = self.of(space, node).await?;
        let mut exec = exec(&pods, &name, OBSERVER, objects::command("observe")).await?;
        let question = serde_json::to_vec(request).expect("requests have only string keys");
        let line = ask_line(&mut exec, &question, LONGEST_REPLY, ANSWERS_WITHIN).await?;
        let reply = serde_json::from_slice(&line).map_err(|error| EnvironmentFault::PodLost {
            reason: format!("the observer's answer cannot be read: {error}"),
        })?;
        match reply {
            ObserveReply::Refused { reason } => Err(EnvironmentFault::Cluster {
                action: "look into a container".into(),
                detail: reason,
                hint: None,
            }),
            reply => Ok(reply),
        }
    }

    /// Lets the observer of a node report of processes, and returns when it has begun. Where its word ends before all the processes have, as when
    /// the stream breaks, it is asked again: `left` returns what still runs.
    pub(super) async fn watch(
        self: &Arc<Self>,
        space: &Arc<RunSpace>,
        node: &str,
        left: impl Fn() -> BTreeMap<String, ContainerId> + Send + 'static,
        mut hear: impl FnMut(&ProcessReport) + Send + 'static,
    ) -> Result<Watching, EnvironmentFault> {
        let mut watched = left();
        let mut exec = self.begin_watch(space, node, &watched).await?;
        let (observers, space, node) = (self.clone(), space.clone(), node.to_owned());
        let task = tokio::spawn(async move {
            let mut ended = BTreeSet::new();
            loop {
                hear_out(exec, |report| {
                    if report.change == ProcessChange::Ended {
                        let name = report.container.as_ref();
                        ended.extend(name.and_then(|name| watched.get(name)).cloned());
                    }
                    hear(report);
                })
                .await;
                exec = loop {
                    watched = left();
                    watched.retain(|_, id| !ended.contains(id));
                    if watched.is_empty() {
                        return;
                    }
                    tracing::warn!(?watched, "the watch of processes ended before they did");
                    sleep(WATCH_AGAIN_AFTER).await;
                    match observers.begin_watch(&space, &node, &watched).await {
                        Ok(exec) => break exec,
                        Err(error) => tracing::warn!(
                            error = chain(&error).join(": "),
                            "processes are not watched"
                        ),
                    }
                };
            }
        });
        Ok(Watching { task })
    }

    async fn begin_watch(
        &self,
        space: &RunSpace,
        node: &str,
        containers: &BTreeMap<String, ContainerId>,
    ) -> Result<Exec, EnvironmentFault> {
        let (pods, name) = self.of(space, node).await?;
        let mut exec = exec(&pods, &name, OBSERVER, objects::command("observe")).await?;
        let containers = containers.clone();
        let question = serde_json::to_vec(&ObserveRequest::Watch { containers })
            .expect("requests have only string keys");
        let first = ask_line(&mut exec, &question, LONGEST_REPLY, ANSWERS_WITHIN).await?;
        tracing::debug!(first = %String::from_utf8_lossy(&first), "processes are watched");
        Ok(exec)
    }

    async fn of(
        &self,
        space: &RunSpace,
        node: &str,
    ) -> Result<(Api<Pod>, String), EnvironmentFault> {
        let namespace = space.own_namespace().await?;
        let name = format!("{OBSERVER}-{}", &sha256(node.as_bytes())[..DIGEST_LENGTH]);
        let cell = self
            .started
            .lock()
            .await
            .entry(node.to_owned())
            .or_default()
            .clone();
        cell.get_or_try_init(|| async {
            let mut pod = objects::observer(&name, &space.run, &space.images.driver, Some(node));
            space.images.pulls.put_into_pod(&mut pod);
            space.apply(namespace, &name, &pod).await?;
            space.await_running(namespace, &name).await
        })
        .await?;
        Ok((Api::namespaced(space.client.clone(), namespace), name))
    }
}

/// Hears the reports of a watch to its end.
async fn hear_out(exec: Exec, mut hear: impl FnMut(&ProcessReport)) {
    let Exec {
        mut stdin,
        stdout,
        guard: _guard,
    } = exec;
    let mut lines = stdout.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(report) => hear(&report),
            Err(error) => tracing::warn!(%error, "a report of the observer cannot be read"),
        }
    }
    let _ = stdin.shutdown().await;
}

/// A watch that goes on until this is dropped.
pub(super) struct Watching {
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Watching {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watching").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn answer(code: u16, message: &str) -> Result<(), kube::Error> {
        let status = kube::core::Status::failure(message, "Forbidden").with_code(code);
        Err(kube::Error::Api(Box::new(status)))
    }

    #[rstest]
    #[case::pod_security(
        403,
        "pods \"observer\" is forbidden: violates PodSecurity \"baseline:latest\": privileged (container \"observer\" must not set securityContext.privileged=true)"
    )]
    #[case::pod_security_policy(
        403,
        "pods \"observer\" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.containers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed]"
    )]
    #[case::openshift(
        403,
        "pods \"observer\" is forbidden: unable to validate against any security context constraint: [provider \"restricted\": Forbidden: not usable by user or serviceaccount]"
    )]
    #[case::webhook(
        400,
        "admission webhook \"policies.example.com\" denied the request: no privileged pods"
    )]
    #[case::api_server(
        422,
        "Pod \"observer\" is invalid: spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy"
    )]
    fn a_policys_refusal_is_a_missing_feature_with_the_policys_words(
        #[case] code: u16,
        #[case] message: &str,
    ) {
        let observing = Observing::of(answer(code, message)).expect("an answer");
        assert_eq!(observing.features(), FeatureSet::new());
        for feature in NEED_THE_NODE {
            let reason = observing.why_not(feature).expect("a reason");
            assert!(reason.contains(message), "{reason}");
        }
        assert_eq!(observing.why_not(Feature::Rollout), None);
    }

    #[rstest]
    #[case::permission(
        403,
        "pods is forbidden: User \"x\" cannot create resource \"pods\" in API group \"\" in the namespace \"n\""
    )]
    #[case::quota(
        403,
        "pods \"observer\" is forbidden: exceeded quota: q, requested: pods=1"
    )]
    #[case::webhook_that_is_down(
        500,
        "Internal error occurred: failed calling webhook \"x\": connection refused"
    )]
    #[case::malformed(422, "Pod \"observer\" is invalid: spec.nodeName: Invalid value")]
    fn what_is_refused_by_no_policy_is_a_fault(#[case] code: u16, #[case] message: &str) {
        let fault = Observing::of(answer(code, message)).expect_err("a fault");
        assert!(fault.to_string().contains(message), "{fault}");
    }

    #[test]
    fn where_a_privileged_pod_is_let_in_the_node_tells() {
        let observing = Observing::of(Ok(())).expect("an answer");
        assert_eq!(observing.features(), FeatureSet::from(NEED_THE_NODE));
        assert_eq!(observing.why_not(Feature::PreStopExec), None);
    }
}
