//! How the kubelet ends a container: preStop, TERM, KILL.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{self, Instant};

use super::rules::{ContainerRole, PreStopHook};
use super::runtime::{ContainerRuntime, StopSignal};
use super::state::PodState;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};

/// The window that the kubelet always leaves between TERM and KILL, however little is left.
const SHORTEST_WINDOW: Duration = Duration::from_secs(2);

/// The bound that the kubelet puts on an HTTP hook's connection attempt; the grace period is the
/// bound that matters.
const HOOK_DIAL_HINT: Duration = Duration::from_secs(30);

/// One container that must end.
pub(super) struct Termination<'a, R: ContainerRuntime> {
    pub runtime: &'a Rc<R>,
    pub state: &'a PodState<R::StartedContainer>,
    pub container: usize,
    pub process: &'a R::StartedContainer,
    pub pre_stop: Option<&'a PreStopHook>,
    pub role: ContainerRole,
    /// Covers the hook and TERM together; zero means KILL at once.
    pub grace: Duration,
}

impl<R: ContainerRuntime> Termination<'_, R> {
    /// Ends the container and returns how it ended.
    pub(super) async fn run(&self) -> ExitStatus {
        if self.grace.is_zero() {
            return self.kill().await;
        }
        let started_at = Instant::now();
        if let Some(hook) = self.pre_stop {
            tokio::select! {
                biased;
                status = self.runtime.wait(self.process) => {
                    self.record(LifecycleEvent::PreStopFailed {
                        reason: "the container ended during the hook".into(),
                    });
                    return status;
                }
                () = self.pre_stop(hook) => {}
            }
        }
        match self.role {
            ContainerRole::Main => {}
            ContainerRole::Sidecar => {
                // A sidecar that ends while it waits has nothing left to be sent; one whose turn never comes is sent TERM at the grace period's
                // end. Source: the kubelet's `terminationOrdering`.
                let left = self.grace.saturating_sub(started_at.elapsed());
                tokio::select! {
                    biased;
                    status = self.runtime.wait(self.process) => return status,
                    () = self.state.followers_ended(self.container) => {}
                    () = time::sleep(left) => {}
                }
            }
        }
        // The kubelet counts the time of the hook and of the wait in whole seconds.
        let used = Duration::from_secs(started_at.elapsed().as_secs());
        let window = self.grace.saturating_sub(used).max(SHORTEST_WINDOW);
        self.record(LifecycleEvent::TermSent {
            not_before: None,
            kill_after_milliseconds: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        });
        self.runtime.signal(self.process, StopSignal::Term);
        match time::timeout(window, self.runtime.wait(self.process)).await {
            Ok(status) => status,
            Err(_) => self.kill().await,
        }
    }

    async fn pre_stop(&self, hook: &PreStopHook) {
        self.record(LifecycleEvent::PreStopStarted);
        // A task of its own: a hook that overruns is not stopped, it ends with the container.
        let task = tokio::task::spawn_local(run_hook(
            Rc::clone(self.runtime),
            self.process.clone(),
            hook.clone(),
        ));
        self.record(match time::timeout(self.grace, task).await {
            Ok(Ok(Ok(exit_code))) => LifecycleEvent::PreStopFinished { exit_code },
            Ok(Ok(Err(reason))) => LifecycleEvent::PreStopFailed { reason },
            Ok(Err(panicked)) => LifecycleEvent::PreStopFailed {
                reason: panicked.to_string(),
            },
            Err(_) => LifecycleEvent::PreStopOverran,
        });
    }

    async fn kill(&self) -> ExitStatus {
        self.record(LifecycleEvent::KillSent);
        self.runtime.signal(self.process, StopSignal::Kill);
        self.runtime.wait(self.process).await
    }

    fn record(&self, event: LifecycleEvent) {
        self.state.record(self.container, event);
    }
}

/// Runs a hook to its end. Returns the exit code of an exec hook.
async fn run_hook<R: ContainerRuntime>(
    runtime: Rc<R>,
    process: R::StartedContainer,
    hook: PreStopHook,
) -> Result<Option<i32>, String> {
    match hook {
        PreStopHook::Exec(command) => {
            let outcome = runtime.exec(&process, &command).await?;
            match outcome.status.as_container_exit_code() {
                0 => Ok(Some(0)),
                code => Err(format!("`{}` exited with {code}", command.join(" "))),
            }
        }
        PreStopHook::Dial(dial) => runtime.dial(&dial, HOOK_DIAL_HINT).await.map(|_| None),
        PreStopHook::Sleep(duration) => {
            time::sleep(duration).await;
            Ok(None)
        }
    }
}
