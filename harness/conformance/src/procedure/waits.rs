//! The waits of a procedure: each for a condition, bounded, and with what was seen last.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::deployment::{Deployment, POLL_INTERVAL};
use super::drive::Drive;
use super::error::ProcedureError;
use super::plan::repeat_stream;
use harness_core::model::causes::chain;
use harness_core::model::located::Located;
use harness_core::model::phase::Phase;
use harness_core::model::request::RequestSpec;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::PROXY_CONTAINER;
use harness_environment::Pod;
use harness_environment::polling::Polling;
use harness_traffic::record::{ClientRecord, ClientResult};
use harness_verdict::judge::lifecycle::{exit_after, first, render};
use harness_verdict::judge::startup::Enforcement;
use harness_verdict::witness::collected::CollectedRecords;
use harness_verdict::witness::proxy::DETAILS_DENIED;

/// How many lines of a log an error shows.
const LAST_LINES: usize = 8;
/// How often the canary is sent.
const CANARY_PER_SECOND: f64 = 100.0;
/// The canary by which enforcement is seen: an attack of the plainest kind.
const CANARY_TARGET: &str = "/canary?id=1%27%20UNION%20SELECT%20password%20FROM%20users--";
/// How many denials in a row show that the rules apply.
pub const DENIED_IN_A_ROW: usize = 3;

impl Deployment {
    /// Waits for something in the timeline.
    pub async fn await_timeline<T>(
        &self,
        waited_for: &str,
        budget: TimeSpan,
        condition: impl FnMut(&[TimelineEvent]) -> Option<T>,
    ) -> Result<T, ProcedureError> {
        await_in_timeline(self.pod(), waited_for, budget, condition).await
    }

    /// Waits until the pod is ready and the proxy answers. A container that ends meanwhile ends the wait.
    pub async fn await_ready(&self) -> Result<(), ProcedureError> {
        let _phase = self.clock.enter(Phase::Starting);
        let ended = self
            .await_timeline(
                "the pod to become ready",
                self.timeouts.pod_ready,
                |timeline| match first_exit(timeline) {
                    Some(container) => Some(Some(container)),
                    None => timeline
                        .iter()
                        .any(|event| matches!(event.event, LifecycleEvent::PodReady))
                        .then_some(None),
                },
            )
            .await?;
        match ended {
            Some(container) => Err(self.will_not_start(&container).await),
            None => self.await_proxy_live().await,
        }
    }

    /// Waits until nothing of the pod runs.
    pub async fn await_gone(&self) -> Result<(), ProcedureError> {
        let _phase = self.clock.enter(Phase::Ending);
        let grace = Duration::from_secs(self.stack.grace_period_seconds());
        let budget = TimeSpan::new(grace + self.timeouts.pod_gone.as_duration());
        self.await_timeline("the pod to be gone", budget, |timeline| {
            first(timeline, None, |event| {
                matches!(event, LifecycleEvent::PodGone)
            })
        })
        .await
        .map(|_| ())
    }

    /// Waits until the proxy's admin endpoint says LIVE.
    pub async fn await_proxy_live(&self) -> Result<(), ProcedureError> {
        let budget = self.timeouts.proxy_live;
        let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
        let mut last_seen = "no answer yet".to_owned();
        while polling.next().await {
            if exit_after(&self.pod().timeline(), PROXY_CONTAINER).is_some() {
                return Err(self.will_not_start(PROXY_CONTAINER).await);
            }
            match self.admin("/ready").await {
                Ok(body) if body.trim() == "LIVE" => {
                    self.await_taps().await;
                    return Ok(());
                }
                Ok(body) => last_seen = body,
                Err(error) => last_seen = chain(&error).join(": "),
            }
        }
        Err(TimedOut {
            waited_for: "the proxy to be live".into(),
            budget,
            last_seen,
        }
        .into())
    }

    /// Waits for the pod as [`Self::await_ready`] does and then for enforcement. A container that ends before the agent has
    /// been seen to deny anything has not started: that is an error and no judgement of the agent's decisions.
    pub async fn await_ready_and_enforcing(&self) -> Result<(), ProcedureError> {
        self.await_ready().await?;
        if self.await_enforcing().await? == Enforcement::NotSeen
            && let Some(container) = first_exit(&self.pod().timeline())
        {
            return Err(self.will_not_start(&container).await);
        }
        Ok(())
    }

    /// Waits until the Service carries a ready pod's traffic: the nodes learn of an endpoint some time after the pod is ready.
    pub async fn await_service(&self) -> Result<(), ProcedureError> {
        let _phase = self.clock.enter(Phase::Starting);
        let spec = RequestSpec {
            target: Located::unwritten("/".into()),
            ..RequestSpec::default()
        };
        let canary = self.ids.prepare_repeated(&spec, "service")?;
        let address = self.pod().addresses().service;
        let budget = self.timeouts.pod_ready;
        let stream = repeat_stream(
            "service",
            &address,
            CANARY_PER_SECOND,
            canary.planned,
            u32::MAX,
        );
        let mut drive = self.start_drive(vec![stream]).await?;
        let answered = async {
            while let Some(record) = drive.next().await? {
                if let ClientResult::Response(_) = record.result {
                    return Ok::<_, ProcedureError>(());
                }
            }
            Ok(())
        };
        timeout(budget.as_duration(), answered)
            .await
            .map_err(|_| TimedOut {
                waited_for: "the Service to carry traffic to the ready pod".into(),
                budget,
                last_seen: format!("no answer from {address}"),
            })??;
        drive.stop().await?;
        let report = self.finish_drive(drive).await?;
        self.settle(&report.records).await?;
        Ok(())
    }

    /// Sends a canary until it is denied three times in a row. A time-out is no error: what is wrong shows when the requests are judged.
    pub async fn await_enforcing(&self) -> Result<Enforcement, ProcedureError> {
        let _phase = self.clock.enter(Phase::Enforcing);
        let spec = RequestSpec {
            target: Located::unwritten(CANARY_TARGET.into()),
            ..RequestSpec::default()
        };
        let canary = self.ids.prepare_repeated(&spec, "canary")?;
        let budget = self.timeouts.enforcing.as_duration();
        let stream = repeat_stream(
            "canary",
            &self.proxy_address(),
            CANARY_PER_SECOND,
            canary.planned,
            u32::MAX,
        );
        let mut drive = self.start_drive(vec![stream]).await?;
        let enforcement = self
            .await_denials(&mut drive, |_| true, DENIED_IN_A_ROW, budget)
            .await?;
        drive.stop().await?;
        let report = self.finish_drive(drive).await?;
        self.settle(&report.records).await?;
        Ok(enforcement)
    }

    /// Reads a stream until the agent has denied so many in a row of those that are counted, by the proxy's word, or the time is used up.
    pub async fn await_denials(
        &self,
        drive: &mut Drive,
        counted: impl Fn(&ClientRecord) -> bool,
        wanted: usize,
        within: Duration,
    ) -> Result<Enforcement, ProcedureError> {
        let _phase = self.clock.enter(Phase::Traffic);
        let deadline = Instant::now() + within;
        let mut next_look = Instant::now();
        loop {
            let record = timeout_at(deadline, drive.next()).await;
            // Whatever has ended the wait, what the proxy has to say by then counts.
            let is_last = match record {
                Ok(record) => record?.is_none(),
                Err(_) => true,
            };
            // Reading the proxy's log for each of thousands of requests would cost the square of their number.
            if !is_last && Instant::now() < next_look {
                continue;
            }
            let sent = drive.records();
            let denied = self
                .collected(|collected| {
                    denied_in_a_row(sent.iter().filter(|record| counted(record)), collected)
                })
                .await?;
            if denied >= wanted {
                return Ok(Enforcement::Seen);
            }
            if is_last {
                return Ok(Enforcement::NotSeen);
            }
            next_look = Instant::now() + 2 * POLL_INTERVAL;
        }
    }

    async fn will_not_start(&self, container: &str) -> ProcedureError {
        let exit = exit_after(&self.pod().timeline(), container).map_or_else(
            || "an unknown status".to_owned(),
            |status| format!("exit code {}", status.as_container_exit_code()),
        );
        let log = self.pod().log(container).await.unwrap_or_default();
        ProcedureError::WillNotStart {
            container: container.into(),
            exit,
            last_lines: last_lines(&log),
        }
    }
}

/// Waits for something in a pod's timeline.
pub(super) async fn await_in_timeline<T>(
    pod: &dyn Pod,
    waited_for: &str,
    budget: TimeSpan,
    mut condition: impl FnMut(&[TimelineEvent]) -> Option<T>,
) -> Result<T, ProcedureError> {
    let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        if let Some(found) = condition(&pod.timeline()) {
            return Ok(found);
        }
    }
    Err(TimedOut {
        waited_for: waited_for.into(),
        budget,
        last_seen: render(&pod.timeline(), None),
    }
    .into())
}

/// Counts how many of the latest requests were denied by the agent. The access log may follow an answer by a moment: requests
/// that it does not have yet are passed over.
fn denied_in_a_row<'a>(
    sent: impl DoubleEndedIterator<Item = &'a ClientRecord>,
    collected: &CollectedRecords,
) -> usize {
    sent.rev()
        .filter_map(|record| collected.proxy.of(&record.id).into_iter().next())
        .take_while(|record| record.details == DETAILS_DENIED)
        .count()
}

fn first_exit(timeline: &[TimelineEvent]) -> Option<String> {
    timeline
        .iter()
        .find(|event| matches!(event.event, LifecycleEvent::Exited(_)))
        .and_then(|event| event.container.clone())
}

/// Returns the end of a log as an error shows it: bounded, with what is not printable escaped.
fn last_lines(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(LAST_LINES);
    if lines.is_empty() {
        return "  (it wrote nothing)".into();
    }
    lines[start..]
        .iter()
        .map(|line| {
            let shown: String = line.chars().take(300).collect();
            format!("  {}", shown.escape_debug())
        })
        .collect::<Vec<_>>()
        .join("\n")
}
