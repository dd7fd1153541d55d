//! A fleet under test with what the procedure needs of it: traffic through its Service, and the collected records of every pod that it ever had.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::procedure::ProcedureResults;
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_reconciliation;
use crate::procedure::plan::plan;
use crate::procedure::pod_logs::PodLogs;
use crate::procedure::request_ids::RequestIds;
use harness_core::model::outcome::Outcome;
use harness_core::model::phase::{Phase, PhaseClock};
use harness_core::model::timeouts::Timeouts;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::Stack;
use harness_core::stack::keys::AgentKeys;
use harness_core::stack::proxy_config::ProxyFacts;
use harness_environment::polling::Polling;
use harness_environment::{DriverProcess, Fleet, FleetMember};
use harness_traffic::plan::Stream;
use harness_traffic::record::ClientRecord;
use harness_verdict::witness::fleet::{CollectedByPod, FleetJoined, merged};
use harness_verdict::witness::reconciliation::{EarlierHops, Reconciliation, Sources};

/// Between two looks at what the witnesses of thousands of requests have said.
const LOOK_EVERY: Duration = Duration::from_millis(300);

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
    /// The ids of its requests.
    pub ids: RequestIds,
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
    /// The ids of its requests.
    pub ids: RequestIds,
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
    collected: CollectedByPod,
    logs: BTreeMap<String, PodLogs>,
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
            ids: parts.ids,
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Starts a driver on these streams.
    pub async fn start_drive(&self, streams: Vec<Stream>) -> Result<Drive, ProcedureError> {
        self.drive(self.fleet.start_driver().await?, streams).await
    }

    /// Gives a driver that was started these streams.
    pub async fn drive(
        &self,
        driver: DriverProcess,
        streams: Vec<Stream>,
    ) -> Result<Drive, ProcedureError> {
        let plan = plan(streams, self.timeouts.request.as_duration());
        Drive::start(driver, plan).await
    }

    /// Remembers the ids of requests that were sent.
    pub fn remember_sent(&self, records: &[ClientRecord]) {
        self.ids
            .remember(records.iter().map(|record| record.id.clone()));
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
    pub async fn collected<T>(
        &self,
        look: impl FnOnce(&CollectedByPod) -> T,
    ) -> Result<T, ProcedureError> {
        let mut reading = self.reading.lock().await;
        let Reading { collected, logs } = &mut *reading;
        let agents = self.stack.agent_names();
        for FleetMember { name, pod } in self.fleet.pods() {
            let collected = collected.entry(name.clone()).or_default();
            let logs = logs.entry(name).or_default();
            logs.read_on(pod.as_ref(), &agents, collected).await?;
        }
        Ok(look(collected))
    }

    /// Waits until every witness has told of every request, and joins what they say. What is still missing at the end of the wait is left
    /// missing: the outcome then says so.
    pub async fn settle(
        &self,
        records: &[ClientRecord],
    ) -> Result<Vec<FleetJoined>, ProcedureError> {
        let _phase = self.clock.enter(Phase::Settling);
        let budget = self.timeouts.witnesses_settled;
        let mut polling = Polling::within(budget.as_duration(), LOOK_EVERY);
        let mut joined: Vec<FleetJoined> = Vec::new();
        while polling.next().await {
            joined = self
                .collected(|pods| {
                    let join = |record: &ClientRecord| FleetJoined::new(record.clone(), pods);
                    records.iter().map(join).collect()
                })
                .await?;
            let is_settled = |joined: &FleetJoined| joined.joined.awaited().is_empty();
            if joined.iter().all(is_settled) {
                break;
            }
        }
        for joined in &mut joined {
            joined.joined.authorization_timeout = self.proxy.authorization_timeout;
        }
        Ok(joined)
    }

    /// Draws the totals up over all pods. Envoy's counters end with each, so they are drawn up without.
    pub async fn reconcile(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        let known_ids = self.ids.sent();
        let reconciliation = self
            .collected(|pods| {
                Reconciliation::reconcile(&Sources {
                    sent,
                    outcomes,
                    nameless: 0,
                    known_ids: &known_ids,
                    collected: &merged(pods),
                    counters: None,
                    access_log_entries: None,
                    earlier_hops: EarlierHops::default(),
                })
            })
            .await?;
        record_reconciliation(reconciliation, results);
        Ok(())
    }
}
