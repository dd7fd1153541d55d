//! One pod under the kubelet's rules: its containers are started in order, attended, restarted and ended.

use std::pin::pin;
use std::rc::Rc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::back_off::BackOff;
use super::probing::{ProbeFailed, Probing};
use super::rules::{ContainerRole, PodRules, RestartPolicy};
use super::runtime::{ContainerRuntime, StartFault};
use super::state::{ContainerActivity, PodState};
use super::termination::Termination;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind};
use harness_core::model::timespan::TimeSpan;

/// The exit code that Kubernetes reports for a container whose process could not be made.
const START_ERROR_EXIT_CODE: i32 = 128;

/// One pod under the kubelet's care.
#[derive(Debug)]
pub(in crate::local) struct RehearsedKubelet<R: ContainerRuntime> {
    runtime: Rc<R>,
    rules: PodRules,
    state: Rc<PodState<R::StartedContainer>>,
}

/// Why a container ended.
enum EndCause {
    Deletion,
    Itself,
    NotStarted(String),
    Probe(ProbeFailed),
}

impl<R: ContainerRuntime> RehearsedKubelet<R> {
    pub(in crate::local) fn new(
        runtime: Rc<R>,
        rules: PodRules,
        state: Rc<PodState<R::StartedContainer>>,
    ) -> Self {
        Self {
            runtime,
            rules,
            state,
        }
    }

    /// Runs the pod until it has been deleted and nothing of it runs any more.
    pub(in crate::local) async fn run(self) {
        let kubelet = Rc::new(self);
        kubelet.state.record_for_pod(LifecycleEvent::PodCreated);
        let mut containers = JoinSet::new();
        for container in 0..kubelet.rules.containers.len() {
            if kubelet.state.is_deleting() {
                break;
            }
            let first = kubelet.start(container, 0).await;
            let keeper = Rc::clone(&kubelet);
            containers.spawn_local(async move { keeper.keep_running(container, first).await });
            match kubelet.rules.containers[container].role {
                ContainerRole::Main => {}
                ContainerRole::Sidecar => kubelet.state.started_up(container).await,
            }
        }
        while containers.join_next().await.is_some() {}
        // Containers can end for good before the pod is deleted.
        kubelet.state.deletion().await;
        kubelet.state.record_for_pod(LifecycleEvent::PodGone);
    }

    async fn start(
        &self,
        container: usize,
        restart_count: u32,
    ) -> Result<R::StartedContainer, StartFault> {
        let started = self.runtime.start(container).await;
        match &started {
            Ok(process) => {
                self.state
                    .set_activity(container, ContainerActivity::Running(process.clone()));
                self.state
                    .record(container, LifecycleEvent::Started { restart_count });
            }
            Err(StartFault::Configuration { reason } | StartFault::Process { reason }) => {
                self.state.set_activity(
                    container,
                    ContainerActivity::Waiting(format!("does not run: {reason}")),
                );
            }
        }
        started
    }

    /// Starts the container again and again, as its restart policy says, until the pod's deletion.
    async fn keep_running(&self, container: usize, first: Result<R::StartedContainer, StartFault>) {
        let mut back_off = BackOff::default();
        let mut restart_count = 0;
        let mut started = first;
        loop {
            let (status, cause) = match started {
                Ok(process) => self.attend(container, &process).await,
                Err(StartFault::Configuration { reason }) => {
                    self.state.record(
                        container,
                        LifecycleEvent::Restarting {
                            reason: format!("CreateContainerConfigError: {reason}"),
                        },
                    );
                    return;
                }
                Err(StartFault::Process { reason }) => {
                    let status = ExitStatus::Code(START_ERROR_EXIT_CODE);
                    self.state.record(container, LifecycleEvent::Exited(status));
                    (status, EndCause::NotStarted(reason))
                }
            };
            if self.state.is_deleting() {
                return;
            }
            let Some(reason) = self.restart_reason(container, status, &cause) else {
                return;
            };
            let delay = back_off.next(Instant::now());
            let reason = if delay.is_zero() {
                reason
            } else {
                format!(
                    "CrashLoopBackOff: back-off {}: {reason}",
                    TimeSpan::new(delay)
                )
            };
            self.state.set_activity(
                container,
                ContainerActivity::Waiting(format!("does not run: {reason}")),
            );
            self.state
                .record(container, LifecycleEvent::Restarting { reason });
            tokio::select! {
                biased;
                _ = self.state.deletion() => return,
                () = time::sleep(delay) => {}
            }
            restart_count += 1;
            started = self.start(container, restart_count).await;
        }
    }

    /// Attends a running container until it has ended.
    async fn attend(
        &self,
        container: usize,
        process: &R::StartedContainer,
    ) -> (ExitStatus, EndCause) {
        let rules = &self.rules.containers[container];
        let probing = Probing {
            runtime: &*self.runtime,
            state: &self.state,
            rules,
            container,
            process,
            started_at: Instant::now(),
            has_started_up: watch::Sender::new(false),
        };
        let mut readiness = pin!(probing.readiness());
        let (cause, grace) = tokio::select! {
            biased;
            status = self.runtime.wait(process) => {
                self.record_end(container, status);
                return (status, EndCause::Itself);
            }
            grace = self.state.deletion() => (EndCause::Deletion, grace),
            failed = probing.run() => {
                let grace = failed.grace.unwrap_or(self.rules.grace);
                (EndCause::Probe(failed), grace)
            }
            never = &mut readiness => match never {},
        };
        let termination = Termination {
            runtime: &self.runtime,
            state: &self.state,
            container,
            process,
            pre_stop: rules.pre_stop.as_ref(),
            role: rules.role,
            grace,
        };
        let status = tokio::select! {
            status = termination.run() => status,
            never = readiness => match never {},
        };
        self.record_end(container, status);
        (status, cause)
    }

    fn record_end(&self, container: usize, status: ExitStatus) {
        let code = status.as_container_exit_code();
        self.state.set_activity(
            container,
            ContainerActivity::Waiting(format!("does not run: it ended with exit code {code}")),
        );
        self.state.record(container, LifecycleEvent::Exited(status));
        self.state.mark_not_ready(container);
    }

    /// A native sidecar restarts always, whatever the pod's policy.
    fn restart_policy_of(&self, container: usize) -> RestartPolicy {
        match self.rules.containers[container].role {
            ContainerRole::Main => self.rules.restart_policy,
            ContainerRole::Sidecar => RestartPolicy::Always,
        }
    }

    /// Returns why the container is started again; none when it stays as it is.
    fn restart_reason(
        &self,
        container: usize,
        status: ExitStatus,
        cause: &EndCause,
    ) -> Option<String> {
        let code = status.as_container_exit_code();
        let restarts = match (self.restart_policy_of(container), cause) {
            (RestartPolicy::Never, _) => false,
            // A container that a probe has ended is restarted whatever it answers to TERM.
            (RestartPolicy::OnFailure, EndCause::Probe(_)) | (RestartPolicy::Always, _) => true,
            (RestartPolicy::OnFailure, _) => code != 0,
        };
        restarts.then(|| match cause {
            EndCause::Deletion => "the pod is being deleted".into(),
            EndCause::Itself => format!("the container ended with exit code {code}"),
            EndCause::NotStarted(reason) => format!("StartError: {reason}"),
            EndCause::Probe(failed) => {
                let probe = match failed.kind {
                    ProbeKind::Startup => "startup",
                    ProbeKind::Readiness => "readiness",
                    ProbeKind::Liveness => "liveness",
                };
                format!("the {probe} probe failed: {}", failed.detail)
            }
        })
    }
}

#[cfg(test)]
#[path = "rehearsed_kubelet_tests.rs"]
mod tests;
