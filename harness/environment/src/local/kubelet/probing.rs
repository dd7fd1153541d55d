//! A container's three probes, as the kubelet's prober workers carry them out.
//!
//! Attempts fall on a fixed beat from the container's start. An attempt whose beat comes before
//! the initial delay is over is skipped, so the first attempt is made at the first beat after the
//! delay: that is what the kubelet does, and why `initialDelaySeconds: 5` with `periodSeconds: 10`
//! probes at 10 s.

use std::convert::Infallible;
use std::future;

use tokio::sync::watch;
use tokio::time::{self, Instant, MissedTickBehavior};

use super::rules::{ContainerRules, ProbeCheck, ProbeRules};
use super::runtime::{ContainerRuntime, DialAnswer};
use super::state::PodState;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind};
use harness_core::model::timespan::TimeSpan;

/// A probe whose failure ends the container.
#[derive(Debug)]
pub(super) struct ProbeFailed {
    /// Which one.
    pub kind: ProbeKind,
    /// What was seen last.
    pub detail: String,
    /// The grace period that the probe brings along.
    pub grace: Option<std::time::Duration>,
}

/// One run of a container, from its start to its end, as its probes see it.
pub(super) struct Probing<'a, R: ContainerRuntime> {
    pub runtime: &'a R,
    pub state: &'a PodState<R::StartedContainer>,
    pub rules: &'a ContainerRules,
    pub container: usize,
    pub process: &'a R::StartedContainer,
    pub started_at: Instant,
    /// Whether the container has started up in this run.
    pub has_started_up: watch::Sender<bool>,
}

impl<R: ContainerRuntime> Probing<'_, R> {
    /// Asks for start-up and liveness until one of the two probes has failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops all probing.
    pub(super) async fn run(&self) -> ProbeFailed {
        tokio::select! {
            failed = self.startup() => failed,
            failed = self.liveness() => failed,
        }
    }

    async fn startup(&self) -> ProbeFailed {
        if let Some(rules) = &self.rules.startup {
            let mut series = Series::new(ProbeKind::Startup, rules, self.started_at);
            loop {
                match series.next(self).await {
                    Some(ProbeVerdict::Succeeded) => break,
                    Some(ProbeVerdict::Failed(detail)) => return series.failed(detail),
                    None => {}
                }
            }
        }
        self.state
            .record(self.container, LifecycleEvent::StartupComplete);
        self.has_started_up.send_replace(true);
        future::pending().await
    }

    async fn liveness(&self) -> ProbeFailed {
        let Some(rules) = &self.rules.liveness else {
            return future::pending().await;
        };
        self.until_started_up().await;
        let mut series = Series::new(ProbeKind::Liveness, rules, self.started_at);
        series.skip_missed_beats();
        loop {
            if let Some(ProbeVerdict::Failed(detail)) = series.next(self).await {
                return series.failed(detail);
            }
        }
    }

    /// Asks for readiness for as long as it is polled. The kubelet does so until the container has ended, also while it is being ended: a
    /// Service that uses terminating endpoints goes by it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the probe.
    pub(super) async fn readiness(&self) -> Infallible {
        self.until_started_up().await;
        let Some(rules) = &self.rules.readiness else {
            self.state.mark_ready(self.container);
            return future::pending().await;
        };
        // The kubelet asks at once when a container has started up and is not ready yet; an
        // interval's missed beat fires immediately, which is the same.
        let mut series = Series::new(ProbeKind::Readiness, rules, self.started_at);
        loop {
            match series.next(self).await {
                Some(ProbeVerdict::Succeeded) => self.state.mark_ready(self.container),
                Some(ProbeVerdict::Failed(_)) => self.state.mark_not_ready(self.container),
                None => {}
            }
        }
    }

    async fn until_started_up(&self) {
        let mut started = self.has_started_up.subscribe();
        let _ = started
            .wait_for(|started| *started)
            .await
            .expect("the sender lives in self");
    }

    /// Makes one attempt and reports what was seen.
    async fn attempt(&self, kind: ProbeKind, rules: &ProbeRules) -> Result<String, String> {
        let outcome = match time::timeout(rules.timeout, self.check(rules)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {}", TimeSpan::new(rules.timeout))),
        };
        let (success, detail) = match &outcome {
            Ok(detail) => (true, detail.clone()),
            Err(detail) => (false, detail.clone()),
        };
        self.state.record(
            self.container,
            LifecycleEvent::Probed {
                probe: kind,
                success,
                detail,
            },
        );
        outcome
    }

    async fn check(&self, rules: &ProbeRules) -> Result<String, String> {
        match &rules.check {
            ProbeCheck::Exec(command) => {
                let outcome = self.runtime.exec(self.process, command).await?;
                let code = outcome.status.as_container_exit_code();
                if code == 0 {
                    Ok("exit code 0".into())
                } else if outcome.output.is_empty() {
                    Err(format!("exit code {code}"))
                } else {
                    Err(format!("exit code {code}: {}", outcome.output))
                }
            }
            ProbeCheck::Dial(dial) => match self.runtime.dial(dial, rules.timeout).await? {
                DialAnswer::Connected => Ok("connected".into()),
                DialAnswer::Health(1) => Ok("SERVING".into()),
                DialAnswer::Health(status) => Err(format!("health status {status}")),
                DialAnswer::Status(status @ 200..400) => Ok(format!("status {status}")),
                DialAnswer::Status(status) => Err(format!("status {status}")),
            },
        }
    }
}

/// What a series of attempts amounts to once a threshold is reached.
enum ProbeVerdict {
    Succeeded,
    Failed(String),
}

/// The attempts of one probe: their beat and the count of equal results in a row.
struct Series<'a> {
    kind: ProbeKind,
    rules: &'a ProbeRules,
    beat: time::Interval,
    started_at: Instant,
    last_was_success: Option<bool>,
    in_a_row: u32,
}

impl<'a> Series<'a> {
    fn new(kind: ProbeKind, rules: &'a ProbeRules, started_at: Instant) -> Self {
        let mut beat = time::interval_at(started_at, rules.period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            kind,
            rules,
            beat,
            started_at,
            last_was_success: None,
            in_a_row: 0,
        }
    }

    /// Moves on to the first beat that is not in the past.
    fn skip_missed_beats(&mut self) {
        let period = self.rules.period.as_nanos().max(1);
        let since = self.started_at.elapsed().as_nanos();
        let beats = since.div_ceil(period);
        let offset = u64::try_from(beats * period).unwrap_or(u64::MAX);
        let next = self.started_at + std::time::Duration::from_nanos(offset);
        self.beat.reset_at(next);
    }

    /// Waits for the next beat and attempts the probe. Returns a verdict when a threshold has been
    /// reached.
    async fn next<R: ContainerRuntime>(
        &mut self,
        probing: &Probing<'_, R>,
    ) -> Option<ProbeVerdict> {
        loop {
            self.beat.tick().await;
            if self.started_at.elapsed() >= self.rules.initial_delay {
                break;
            }
        }
        let outcome = probing.attempt(self.kind, self.rules).await;
        let success = outcome.is_ok();
        if self.last_was_success == Some(success) {
            self.in_a_row = self.in_a_row.saturating_add(1);
        } else {
            self.last_was_success = Some(success);
            self.in_a_row = 1;
        }
        match outcome {
            Ok(_) => {
                (self.in_a_row >= self.rules.success_threshold).then_some(ProbeVerdict::Succeeded)
            }
            Err(detail) => (self.in_a_row >= self.rules.failure_threshold)
                .then_some(ProbeVerdict::Failed(detail)),
        }
    }

    fn failed(&self, detail: String) -> ProbeFailed {
        ProbeFailed {
            kind: self.kind,
            detail,
            grace: self.rules.grace,
        }
    }
}
