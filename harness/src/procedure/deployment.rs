//! A pod under test with what every procedure needs of it: waits, traffic, testimony.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::drive::{Drive, DriveReport};
use super::error::ProcedureError;
use super::plan::{Prepared, Route, plan, prepare, repeat_stream};
use crate::environment::{Pod, PodHttpRequest};
use crate::judge::lifecycle::{exit_after, first, render};
use crate::model::identity::{RequestId, RunId};
use crate::model::load::Corpora;
use crate::model::located::Located;
use crate::model::outcome::Outcome;
use crate::model::request::RequestSpec;
use crate::model::scenario::ScenarioName;
use crate::model::timeline::{LifecycleEvent, TimelineEvent};
use crate::model::timeouts::{TimedOut, Timeouts};
use crate::model::timespan::TimeSpan;
use crate::stack::keys::AgentKeys;
use crate::stack::{
    ADMIN_PORT, AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER, PROXY_PORT, Stack,
};
use crate::traffic::plan::{DrivePlan, Stream};
use crate::traffic::record::ClientRecord;
use crate::witness::books::{Books, Sources};
use crate::witness::counters::{Counters, QUERY};
use crate::witness::join::Joined;
use crate::witness::proxy::{DETAILS_DENIED, ProxyRecord};
use crate::witness::testimony::{LineCutter, Testimony};

/// Between two looks at a condition that has no event of its own.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(15);
/// How much of a log is read at a time.
const LOG_PIECE_BYTES: usize = 1024 * 1024;
/// How many lines of a log an error shows.
const LAST_LINES: usize = 8;
/// How many denials in a row show that the rules apply.
pub const DENIED_IN_A_ROW: usize = 3;
/// How often the canary is sent.
const CANARY_PER_SECOND: f64 = 100.0;
/// The canary by which enforcement is seen: an attack of the plainest kind.
const CANARY_TARGET: &str = "/canary?id=1%27%20UNION%20SELECT%20password%20FROM%20users--";

/// Whether the agent was seen to deny attacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enforcement {
    /// It was not, within the time that it had.
    NotSeen,
    /// So many in a row as were wanted.
    Seen,
}

/// A pod under test.
#[derive(Debug)]
pub struct Deployment {
    /// The pod.
    pub pod: Arc<dyn Pod>,
    /// What is deployed.
    pub stack: Stack,
    /// Whether the proxy's configuration sends response data to the agent.
    pub sends_response_data: bool,
    /// The scenario, for request ids.
    pub scenario: ScenarioName,
    /// The run, for request ids.
    pub run: RunId,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// What scenarios draw requests from.
    pub corpora: Arc<Corpora>,
    /// The agent's keys, to look for them.
    pub keys: Arc<AgentKeys>,
    /// Every id that was sent to this pod.
    known_ids: Mutex<BTreeSet<String>>,
    /// How many requests were sent whose ids the proxy cannot read.
    pub nameless: AtomicU64,
    /// How far the witnesses' logs have been read.
    reading: tokio::sync::Mutex<Reading>,
}

/// What the witnesses' logs have said so far.
#[derive(Debug, Default)]
struct Reading {
    testimony: Testimony,
    proxy: LineCutter,
    agent: LineCutter,
    upstream: LineCutter,
}

impl Deployment {
    /// Wraps a pod that was just created.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts have no smaller grouping"
    )]
    pub fn new(
        pod: Arc<dyn Pod>,
        stack: Stack,
        sends_response_data: bool,
        scenario: ScenarioName,
        run: RunId,
        timeouts: Arc<Timeouts>,
        corpora: Arc<Corpora>,
        keys: Arc<AgentKeys>,
    ) -> Self {
        Self {
            pod,
            stack,
            sends_response_data,
            scenario,
            run,
            timeouts,
            corpora,
            keys,
            known_ids: Mutex::default(),
            nameless: AtomicU64::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Prepares a request of a case and remembers its id.
    pub fn prepare(
        &self,
        spec: &RequestSpec,
        case: &str,
        number: u32,
        route: Route,
    ) -> Result<Prepared, ProcedureError> {
        let id = RequestId::new(self.scenario.as_str(), case, number, &self.run);
        self.remember([id.as_str().to_owned()]);
        Ok(prepare(spec, &id, route)?)
    }

    /// Prepares a request that is sent again and again: its id has `{n}` for the number.
    pub fn prepare_repeated(
        &self,
        spec: &RequestSpec,
        case: &str,
    ) -> Result<Prepared, ProcedureError> {
        let id = format!(
            "{}.{case}.{{n}}.{}",
            self.scenario.as_str().replace("::", ":"),
            self.run
        );
        Ok(prepare(
            spec,
            &RequestId::from_witness(id),
            Route::Inspected,
        )?)
    }

    /// Returns the proxy's address for traffic that does not pass the Service.
    pub fn proxy_address(&self) -> String {
        format!("{}:{PROXY_PORT}", self.pod.addresses().pod_ip)
    }

    /// Waits for something in the timeline.
    pub async fn await_timeline<T>(
        &self,
        waited_for: &str,
        budget: TimeSpan,
        mut condition: impl FnMut(&[TimelineEvent]) -> Option<T>,
    ) -> Result<T, ProcedureError> {
        let wait = async {
            loop {
                let timeline = self.pod.timeline();
                if let Some(found) = condition(&timeline) {
                    return found;
                }
                self.pod.timeline_beyond(timeline.len()).await;
                // A pod that is gone reports at once and for ever.
                sleep(POLL_INTERVAL).await;
            }
        };
        timeout(budget.as_duration(), wait).await.map_err(|_| {
            TimedOut {
                waited_for: waited_for.into(),
                budget,
                last_seen: render(&self.pod.timeline(), None),
            }
            .into()
        })
    }

    /// Waits until every container's process runs.
    pub async fn await_started(&self) -> Result<(), ProcedureError> {
        let count = self.stack.pod.containers.len();
        self.await_timeline(
            "every container to start",
            self.timeouts.containers_started,
            |timeline| {
                let started: BTreeSet<&str> = timeline
                    .iter()
                    .filter(|event| matches!(event.event, LifecycleEvent::Started { .. }))
                    .filter_map(|event| event.container.as_deref())
                    .collect();
                (started.len() == count).then_some(())
            },
        )
        .await
    }

    /// Waits until the pod is ready and the proxy answers. A container that ends meanwhile ends the wait.
    pub async fn await_ready(&self) -> Result<(), ProcedureError> {
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
        let deadline = Instant::now() + budget.as_duration();
        let mut last_seen = "no answer yet".to_owned();
        while Instant::now() < deadline {
            if exit_after(&self.pod.timeline(), PROXY_CONTAINER).is_some() {
                return Err(self.will_not_start(PROXY_CONTAINER).await);
            }
            match self.admin("/ready").await {
                Ok(body) if body.trim() == "LIVE" => return Ok(()),
                Ok(body) => last_seen = body,
                Err(error) => last_seen = crate::model::causes::chain(&error).join(": "),
            }
            sleep(POLL_INTERVAL).await;
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
            && let Some(container) = first_exit(&self.pod.timeline())
        {
            return Err(self.will_not_start(&container).await);
        }
        Ok(())
    }

    /// Sends a canary until it is denied three times in a row. A time-out is no error: what is wrong shows when the requests are judged.
    pub async fn await_enforcing(&self) -> Result<Enforcement, ProcedureError> {
        let spec = RequestSpec {
            target: Located::unwritten(CANARY_TARGET.into()),
            ..RequestSpec::default()
        };
        let canary = self.prepare_repeated(&spec, "canary")?;
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
        let deadline = Instant::now() + within;
        let mut next_look = Instant::now();
        while drive.next().await?.is_some() && Instant::now() < deadline {
            // Reading the proxy's log for each of thousands of requests would cost the square of their number.
            if Instant::now() < next_look {
                continue;
            }
            let sent = drive.records();
            let denied = self
                .testimony(|testimony| {
                    denied_in_a_row(sent.iter().filter(|record| counted(record)), testimony)
                })
                .await?;
            if denied >= wanted {
                return Ok(Enforcement::Seen);
            }
            next_look = Instant::now() + 2 * POLL_INTERVAL;
        }
        Ok(Enforcement::NotSeen)
    }

    /// Starts a driver on these streams.
    pub async fn start_drive(&self, streams: Vec<Stream>) -> Result<Drive, ProcedureError> {
        let plan: DrivePlan = plan(streams, self.timeouts.request.as_duration());
        Drive::start(self.pod.start_driver().await?, &plan).await
    }

    /// Reads a driver to its end and remembers the ids that it sent.
    pub async fn finish_drive(&self, drive: Drive) -> Result<DriveReport, ProcedureError> {
        let report = drive.finish().await?;
        self.remember(report.records.iter().map(|record| record.id.clone()));
        Ok(report)
    }

    /// Takes in what the three witnesses inside the pod have recorded since the last look, and shows all of it to `look`.
    pub async fn testimony<T>(
        &self,
        look: impl FnOnce(&Testimony) -> T,
    ) -> Result<T, ProcedureError> {
        let mut reading = self.reading.lock().await;
        let reading = &mut *reading;
        for (container, cutter, add) in [
            (
                PROXY_CONTAINER,
                &mut reading.proxy,
                Testimony::add_proxy as fn(&mut Testimony, &str),
            ),
            (AGENT_CONTAINER, &mut reading.agent, Testimony::add_agent),
            (
                APPLICATION_CONTAINER,
                &mut reading.upstream,
                Testimony::add_upstream,
            ),
        ] {
            loop {
                let piece = self
                    .pod
                    .log_beyond(container, cutter.offset, LOG_PIECE_BYTES)
                    .await?;
                if piece.is_empty() {
                    break;
                }
                add(&mut reading.testimony, &cutter.take(&piece));
            }
        }
        Ok(look(&reading.testimony))
    }

    /// Waits until every witness has told of every request, and joins what they say. What is still missing at the
    /// end of the wait is left missing: the outcome then says so.
    pub async fn settle(&self, records: &[ClientRecord]) -> Result<Vec<Joined>, ProcedureError> {
        let deadline = Instant::now() + self.timeouts.witnesses_settled.as_duration();
        loop {
            let joined = self
                .testimony(|testimony| {
                    records
                        .iter()
                        .map(|record| Joined::new(record.clone(), testimony))
                        .collect::<Vec<_>>()
                })
                .await?;
            let settled = joined.iter().all(|joined| joined.awaited().is_empty());
            if settled || Instant::now() >= deadline {
                return Ok(joined);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for the proxy's next record of a request whose id it cannot read, beyond the first `seen`, and gives it this id.
    pub async fn nameless_record(
        &self,
        seen: usize,
        id: &str,
    ) -> Result<Option<ProxyRecord>, ProcedureError> {
        let deadline = Instant::now() + self.timeouts.witnesses_settled.as_duration();
        loop {
            let record = self
                .testimony(|testimony| testimony.proxy.without_id.get(seen).cloned())
                .await?;
            if let Some(record) = record {
                return Ok(Some(ProxyRecord {
                    id: id.into(),
                    ..record
                }));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Draws the books up from a part of the scenario's requests.
    pub async fn draw_up(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        counters: Option<(&Counters, &Counters)>,
        access_log_entries: Option<u64>,
    ) -> Result<Books, ProcedureError> {
        let known_ids = self.known_ids();
        self.testimony(|testimony| {
            Books::draw_up(&Sources {
                sent,
                outcomes,
                nameless: self.nameless.load(Ordering::Relaxed),
                known_ids: &known_ids,
                testimony,
                counters,
                access_log_entries,
            })
        })
        .await
    }

    /// Reads Envoy's counters.
    pub async fn counters(&self) -> Result<Counters, ProcedureError> {
        Ok(Counters::parse(&self.admin(QUERY).await?))
    }

    /// Asks the proxy's admin endpoint.
    pub async fn admin(&self, path: &str) -> Result<String, ProcedureError> {
        let request = PodHttpRequest {
            method: "GET".into(),
            host: "127.0.0.1".into(),
            port: ADMIN_PORT,
            path: path.into(),
        };
        let response = self.pod.http(request, self.timeouts.proxy_admin).await?;
        match response.status {
            200 => Ok(response.body),
            status => Err(ProcedureError::Admin {
                question: path.into(),
                status,
            }),
        }
    }

    /// Returns every id that was sent to this pod.
    pub fn known_ids(&self) -> BTreeSet<String> {
        self.known_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers ids that are sent to this pod.
    pub fn remember(&self, ids: impl IntoIterator<Item = String>) {
        self.known_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(ids);
    }

    async fn will_not_start(&self, container: &str) -> ProcedureError {
        let exit = exit_after(&self.pod.timeline(), container).map_or_else(
            || "an unknown status".to_owned(),
            |status| format!("exit code {}", status.as_container_exit_code()),
        );
        let log = self.pod.log(container).await.unwrap_or_default();
        ProcedureError::WillNotStart {
            container: container.into(),
            exit,
            last_lines: last_lines(&log),
        }
    }
}

/// Counts how many of the latest requests were denied by the agent. The access log may follow an answer by a moment: requests
/// that it does not have yet are passed over.
fn denied_in_a_row<'a>(
    sent: impl DoubleEndedIterator<Item = &'a ClientRecord>,
    testimony: &Testimony,
) -> usize {
    sent.rev()
        .filter_map(|record| testimony.proxy.of(&record.id).first())
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
