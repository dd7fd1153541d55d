//! Asks the observer of a node, which is started there when it is first needed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::{Mutex, OnceCell};

use super::exec::{ExecGuard, ask_line, exec};
use super::objects::{self, OBSERVER};
use super::run_space::RunSpace;
use crate::environment::EnvironmentFault;
use crate::environment::observe::{LONGEST_REPLY, ObserveReply, ObserveRequest, ProcessReport};
use crate::model::digest::sha256;

/// Whether the cluster lets the harness look into containers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Observing {
    Allowed,
    Forbidden,
}

/// How long the observer may take for one answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// How much of a node's digest is in its observer's name.
const DIGEST_LENGTH: usize = 10;

/// The observers of a run, by node.
#[derive(Debug, Default)]
pub(super) struct Observers {
    started: Mutex<BTreeMap<String, Arc<OnceCell<()>>>>,
}

impl Observers {
    /// Tells whether the cluster lets a privileged pod in: it is asked, and nothing is made.
    pub(super) async fn are_allowed(space: &RunSpace) -> Result<bool, EnvironmentFault> {
        let namespace = space.own_namespace().await?;
        let pods: Api<Pod> = Api::namespaced(space.client.clone(), namespace);
        let mut pod = objects::observer(OBSERVER, &space.run, &space.images.driver, None);
        space.images.pulls.put_into_pod(&mut pod);
        let trial = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        match pods.create(&trial, &pod).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                tracing::info!(message = %status.message, "the cluster lets no privileged pod in");
                Ok(false)
            }
            Err(error) => Err(super::fault::fault("try a privileged pod", &error)),
        }
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

    /// Lets the observer of a node report of processes, and returns when it has begun.
    pub(super) async fn watch(
        &self,
        space: &RunSpace,
        node: &str,
        request: &ObserveRequest,
        mut hear: impl FnMut(&ProcessReport) + Send + 'static,
    ) -> Result<Watching, EnvironmentFault> {
        let (pods, name) = self.of(space, node).await?;
        let mut exec = exec(&pods, &name, OBSERVER, objects::command("observe")).await?;
        let question = serde_json::to_vec(request).expect("requests have only string keys");
        let first = ask_line(&mut exec, &question, LONGEST_REPLY, ANSWERS_WITHIN).await?;
        tracing::debug!(first = %String::from_utf8_lossy(&first), "processes are watched");
        let super::exec::Exec {
            stdin,
            stdout,
            guard,
        } = exec;
        let task = tokio::spawn(async move {
            let mut stdin = stdin;
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(report) => hear(&report),
                    Err(error) => tracing::warn!(%error, "a report of the observer cannot be read"),
                }
            }
            let _ = stdin.shutdown().await;
        });
        Ok(Watching {
            task,
            _guard: guard,
        })
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

/// A watch that goes on until this is dropped.
pub(super) struct Watching {
    task: tokio::task::JoinHandle<()>,
    _guard: ExecGuard,
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
