//! The waits of a procedure: each for a condition, bounded, and with what was seen last.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::ProcedureResults;
use super::deployment::{Deployment, POLL_INTERVAL};
use super::drive::Drive;
use super::error::ProcedureError;
use super::plan::repeat_stream;
use harness_core::model::causes::chain;
use harness_core::model::located::{Located, Position};
use harness_core::model::phase::Phase;
use harness_core::model::request::RequestSpec;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::PROXY_CONTAINER;
use harness_environment::Pod;
use harness_environment::polling::Polling;
use harness_traffic::plan::{Pacing, Stream};
use harness_traffic::record::{ClientRecord, ClientResult};
use harness_verdict::judge::enforcement::{Canaries, LastCanary, SignOfRules, not_enforcing};
use harness_verdict::judge::lifecycle::{exit_after, first, render};
use harness_verdict::judge::startup::Enforcement;
use harness_verdict::witness::collected::CollectedRecords;

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
    ///
    /// An agent that was asked and let every canary pass has no rules yet: whatever it decides now says nothing of what it
    /// detects, so the scenario ends. Where it was not asked, or did not answer, what comes of the requests says why, and the
    /// finding that enforcement was not seen goes before theirs.
    pub async fn await_ready_and_enforcing(
        &self,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let canary = usual_canary();
        self.await_ready_and_inspecting(&canary, SignOfRules::Denied, results)
            .await
    }

    /// As [`Self::await_ready_and_enforcing`], by another canary or another sign that the rules apply.
    pub async fn await_ready_and_inspecting(
        &self,
        canary: &RequestSpec,
        sign: SignOfRules,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        self.await_ready().await?;
        let Err(canaries) = self.await_sign(canary, sign).await? else {
            return Ok(());
        };
        if let Some(container) = first_exit(&self.pod().timeline()) {
            return Err(self.will_not_start(&container).await);
        }
        match canaries.last {
            LastCanary::AllowedByAgent => Err(canaries.into()),
            LastCanary::Otherwise => {
                let finding = not_enforcing(Position::default(), &canaries);
                results.findings.push(finding);
                Ok(())
            }
        }
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

    /// Sends a canary until it is denied three times in a row. Where it was not within the time for it, what became of them is returned.
    pub async fn await_enforcing(&self) -> Result<Result<(), Canaries>, ProcedureError> {
        self.await_sign(&usual_canary(), SignOfRules::Denied).await
    }

    async fn await_sign(
        &self,
        canary: &RequestSpec,
        sign: SignOfRules,
    ) -> Result<Result<(), Canaries>, ProcedureError> {
        let _phase = self.clock.enter(Phase::Enforcing);
        let canary = self.ids.prepare_repeated(canary, "canary")?;
        let budget = self.timeouts.enforcing;
        // One at a time: an agent that takes its time is not overloaded by the question whether it enforces.
        let stream = Stream {
            pacing: Pacing::Paced {
                per_second: CANARY_PER_SECOND,
            },
            ..repeat_stream(
                "canary",
                &self.proxy_address(),
                CANARY_PER_SECOND,
                canary.planned,
                u32::MAX,
            )
        };
        let mut drive = self.start_drive(vec![stream]).await?;
        let enforcement = self
            .await_in_a_row(
                &mut drive,
                |_| true,
                sign,
                DENIED_IN_A_ROW,
                budget.as_duration(),
            )
            .await?;
        drive.stop().await?;
        let report = self.finish_drive(drive).await?;
        self.settle(&report.records).await?;
        match enforcement {
            Enforcement::Seen => Ok(Ok(())),
            Enforcement::NotSeen => {
                let count = |collected: &CollectedRecords| {
                    Canaries::of(&report.records, collected, sign, budget)
                };
                Ok(Err(self.collected(count).await?))
            }
        }
    }

    /// Reads a stream until the agent has denied so many in a row of those that are counted, by the proxy's word, or the time is used up.
    pub async fn await_denials(
        &self,
        drive: &mut Drive,
        counted: impl Fn(&ClientRecord) -> bool,
        wanted: usize,
        within: Duration,
    ) -> Result<Enforcement, ProcedureError> {
        self.await_in_a_row(drive, counted, SignOfRules::Denied, wanted, within)
            .await
    }

    async fn await_in_a_row(
        &self,
        drive: &mut Drive,
        counted: impl Fn(&ClientRecord) -> bool,
        sign: SignOfRules,
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
                    let sent = sent.iter().filter(|record| counted(record));
                    in_a_row(sent, sign, collected)
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

/// Counts how many of the latest requests show the sign. A record may follow an answer by a moment: requests that there is
/// none of yet are passed over.
fn in_a_row<'a>(
    sent: impl DoubleEndedIterator<Item = &'a ClientRecord>,
    sign: SignOfRules,
    collected: &CollectedRecords,
) -> usize {
    sent.rev()
        .filter_map(|record| sign.shown_by(&record.id, collected))
        .take_while(|is_shown| *is_shown)
        .count()
}

/// Returns the canary that every agent with loaded rules denies.
pub(super) fn usual_canary() -> RequestSpec {
    RequestSpec {
        target: Located::unwritten(CANARY_TARGET.into()),
        ..RequestSpec::default()
    }
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
