//! A fleet under test with what the procedure needs of it: traffic through its Service, and the testimony of every pod that it ever had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::environment::{Fleet, FleetMember};
use crate::model::identity::{RequestId, RunId};
use crate::model::outcome::Outcome;
use crate::model::phase::{Phase, PhaseClock};
use crate::model::request::RequestSpec;
use crate::model::scenario::ScenarioName;
use crate::model::timeouts::Timeouts;
use crate::model::timespan::TimeSpan;
use crate::procedure::Proceedings;
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_books;
use crate::procedure::plan::{Prepared, Route, plan, prepare};
use crate::stack::keys::AgentKeys;
use crate::stack::proxy_config::ProxyFacts;
use crate::stack::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER, Stack};
use crate::traffic::plan::Stream;
use crate::traffic::record::ClientRecord;
use crate::witness::books::{Books, EarlierLegs, Sources};
use crate::witness::fleet::{FleetJoined, TestimonyByPod, merged};
use crate::witness::testimony::{LineCutter, Testimony};

/// Between two looks at what the witnesses of thousands of requests have said.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How much of a log is read at a time.
const LOG_PIECE_BYTES: usize = 1024 * 1024;

/// A fleet under test.
#[derive(Debug)]
pub struct FleetDeployment {
    /// The fleet.
    pub fleet: Arc<dyn Fleet>,
    /// What is deployed at first.
    pub stack: Stack,
    /// What the proxy does for the agent.
    pub proxy: ProxyFacts,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// The agent's keys, and those that take their place.
    pub keys: Arc<AgentKeys>,
    /// What the scenario's time is spent on.
    pub clock: Arc<PhaseClock>,
    scenario: ScenarioName,
    run: RunId,
    known_ids: Mutex<BTreeSet<String>>,
    reading: tokio::sync::Mutex<Reading>,
}

/// What a fleet's deployment is made of.
#[derive(Debug)]
pub struct FleetParts {
    /// The fleet.
    pub fleet: Arc<dyn Fleet>,
    /// What is deployed at first.
    pub stack: Stack,
    /// What the proxy does for the agent.
    pub proxy: ProxyFacts,
    /// The scenario, for request ids.
    pub scenario: ScenarioName,
    /// The run, for request ids.
    pub run: RunId,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// The agent's keys, and those that take their place.
    pub keys: Arc<AgentKeys>,
    /// What the scenario's time is spent on.
    pub clock: Arc<PhaseClock>,
}

/// What the witnesses' logs have said so far.
#[derive(Debug, Default)]
struct Reading {
    testimony: TestimonyByPod,
    cutters: BTreeMap<String, [LineCutter; 3]>,
}

impl FleetDeployment {
    /// Wraps a fleet that was just created.
    pub fn new(parts: FleetParts) -> Self {
        Self {
            fleet: parts.fleet,
            stack: parts.stack,
            proxy: parts.proxy,
            timeouts: parts.timeouts,
            keys: parts.keys,
            clock: parts.clock,
            scenario: parts.scenario,
            run: parts.run,
            known_ids: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Prepares a request of a case and remembers its id.
    pub fn prepare(
        &self,
        spec: &RequestSpec,
        case: &str,
        route: Route,
    ) -> Result<Prepared, ProcedureError> {
        let id = RequestId::new(self.scenario.as_str(), case, 0, &self.run);
        self.remember([id.as_str().to_owned()]);
        Ok(prepare(spec, &id, route)?)
    }

    /// Prepares a request that is sent again and again: its id has `{n}` for the number.
    pub fn prepare_repeated(
        &self,
        spec: &RequestSpec,
        case: &str,
    ) -> Result<Prepared, ProcedureError> {
        let scenario = self.scenario.as_str().replace("::", ":");
        let id = RequestId::from_witness(format!("{scenario}.{case}.{{n}}.{}", self.run));
        Ok(prepare(spec, &id, Route::Inspected)?)
    }

    /// Starts a driver on these streams.
    pub async fn start_drive(&self, streams: Vec<Stream>) -> Result<Drive, ProcedureError> {
        let plan = plan(streams, self.timeouts.request.as_duration());
        Drive::start(self.fleet.start_driver().await?, plan).await
    }

    /// Remembers the ids of requests that were sent.
    pub fn remember_sent(&self, records: &[ClientRecord]) {
        self.remember(records.iter().map(|record| record.id.clone()));
    }

    /// Returns the bound within which the fleet must settle after a change: a pod starts, and another one ends.
    pub fn settles_within(&self) -> TimeSpan {
        let grace = Duration::from_secs(self.stack.grace_period_seconds());
        let starting = self.timeouts.pod_ready.as_duration();
        TimeSpan::new(starting + grace + self.timeouts.pod_gone.as_duration())
    }

    /// Waits until the fleet has settled.
    pub async fn await_settled(&self) -> Result<(), ProcedureError> {
        Ok(self.fleet.await_settled(self.settles_within()).await?)
    }

    /// Takes in what the witnesses of every pod have recorded since the last look, and shows all of it to `look`.
    pub async fn testimony<T>(
        &self,
        look: impl FnOnce(&TestimonyByPod) -> T,
    ) -> Result<T, ProcedureError> {
        let mut reading = self.reading.lock().await;
        for member in self.fleet.pods() {
            reading.take_in(&member).await?;
        }
        Ok(look(&reading.testimony))
    }

    /// Waits until every witness has told of every request, and joins what they say. What is still missing at the end of the wait is left
    /// missing: the outcome then says so.
    pub async fn settle(
        &self,
        records: &[ClientRecord],
    ) -> Result<Vec<FleetJoined>, ProcedureError> {
        let _phase = self.clock.enter(Phase::Settling);
        let deadline = Instant::now() + self.timeouts.witnesses_settled.as_duration();
        loop {
            let joined: Vec<FleetJoined> = self
                .testimony(|pods| {
                    let join = |record: &ClientRecord| FleetJoined::new(record.clone(), pods);
                    records.iter().map(join).collect()
                })
                .await?;
            let is_settled = |joined: &FleetJoined| joined.joined.awaited().is_empty();
            if joined.iter().all(is_settled) || Instant::now() >= deadline {
                let timeout = self.proxy.authorization_timeout;
                return Ok(joined
                    .into_iter()
                    .map(|mut joined| {
                        joined.joined.authorization_timeout = timeout;
                        joined
                    })
                    .collect());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Draws the books up over all pods. Envoy's counters end with each, so they are drawn up without.
    pub async fn close_books(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        proceedings: &mut Proceedings,
    ) -> Result<(), ProcedureError> {
        let known_ids = self
            .known_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let books = self
            .testimony(|pods| {
                Books::draw_up(&Sources {
                    sent,
                    outcomes,
                    nameless: 0,
                    known_ids: &known_ids,
                    testimony: &merged(pods),
                    counters: None,
                    access_log_entries: None,
                    earlier_legs: EarlierLegs::default(),
                })
            })
            .await?;
        record_books(books, proceedings);
        Ok(())
    }

    fn remember(&self, ids: impl IntoIterator<Item = String>) {
        self.known_ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(ids);
    }
}

impl Reading {
    async fn take_in(&mut self, member: &FleetMember) -> Result<(), ProcedureError> {
        let testimony = self.testimony.entry(member.name.clone()).or_default();
        let cutters = self.cutters.entry(member.name.clone()).or_default();
        let witnesses = [
            (
                PROXY_CONTAINER,
                Testimony::add_proxy as fn(&mut Testimony, &str),
            ),
            (AGENT_CONTAINER, Testimony::add_agent),
            (APPLICATION_CONTAINER, Testimony::add_upstream),
        ];
        for (cutter, (container, add)) in cutters.iter_mut().zip(witnesses) {
            loop {
                let piece = member
                    .pod
                    .log_beyond(container, cutter.offset, LOG_PIECE_BYTES)
                    .await?;
                if piece.is_empty() {
                    break;
                }
                add(testimony, &cutter.take(&piece));
            }
        }
        Ok(())
    }
}
