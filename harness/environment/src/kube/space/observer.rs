//! Asks the observer of a node, which is started there when it is first needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::sleep;

use crate::EnvironmentFault;
use crate::inspection::InspectionAnswer;
use crate::kube::api::exec::{Exec, ask_line, exec};
use crate::kube::api::fault::bounded;
use crate::kube::api::objects::{self, OBSERVER};
use crate::kube::space::observing::{Observing, TRY_OBSERVER};
use crate::kube::space::run_space::RunSpace;
use crate::observe::{
    ContainerId, LONGEST_REPLY, ObserveReply, ObserveRequest, ProcessChange, ProcessReport,
};
use harness_core::model::causes::chain;
use harness_core::model::digest::sha256;

/// How long a watch that has ended too early is left alone: the status shows an end a moment after the observer does.
const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long the observer may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// How much of a node's digest is in its observer's name.
const DIGEST_LENGTH: usize = 10;

/// The observers of a run, by node.
#[derive(Debug, Default)]
pub(in crate::kube) struct Observers {
    started: Mutex<BTreeMap<String, Arc<OnceCell<()>>>>,
}

impl Observers {
    /// Asks whether the cluster lets a privileged pod in; nothing is made.
    pub(in crate::kube) async fn are_allowed(
        space: &RunSpace,
    ) -> Result<Observing, EnvironmentFault> {
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
    pub(in crate::kube) async fn ask(
        &self,
        space: &RunSpace,
        node: &str,
        request: &ObserveRequest,
    ) -> Result<InspectionAnswer, EnvironmentFault> {
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
            ObserveReply::Inspected(answer) => Ok(answer),
        }
    }

    /// Lets the observer of a node report of processes, and returns when it has begun. Where its report ends before all the processes have, as when
    /// the stream breaks, it is asked again: `left` returns what still runs.
    pub(in crate::kube) async fn watch(
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
                    // One that had ended before the watch began, and whose end the API does not show yet, appears the same.
                    tracing::debug!(?watched, "the watch of processes ended before they did");
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
pub(in crate::kube) struct Watching {
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
