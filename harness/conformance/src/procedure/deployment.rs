//! The pods of a scenario with what every procedure needs of them: traffic, and the records of their witnesses.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::drive::{ContractReport, Drive, DriveReport, make_calls};
use super::error::ProcedureError;
use super::plan::plan;
use super::pod_logs::PodLogs;
use super::pods::{OnePod, PodFleet, Pods};
use super::request_ids::RequestIds;
use super::wire_tap::{Heard, WireTap};
use harness_core::model::corpora::Corpora;
use harness_core::model::outcome::Outcome;
use harness_core::model::phase::{Phase, PhaseClock};
use harness_core::model::timeouts::Timeouts;
use harness_core::stack::keys::AgentKeys;
use harness_core::stack::proxy_config::ProxyFacts;
use harness_core::stack::{ADMIN_PORT, PROXY_PORT, Stack};
use harness_environment::polling::Polling;
use harness_environment::{DriverProcess, FleetMember, Pod, PodHttpRequest, authority};
use harness_traffic::contract::plan::ContractPlan;
use harness_traffic::plan::{DrivePlan, Stream};
use harness_traffic::record::{ClientRecord, DriverSummary};
use harness_verdict::witness::client_records::{ClientAccounts, ClientRecords};
use harness_verdict::witness::collected::CollectedRecords;
use harness_verdict::witness::counters::{Counters, MIRRORED, QUERY};
use harness_verdict::witness::fleet::{CollectedByPod, FleetJoined, merged};
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::joined_requests::JoinedRequests;
use harness_verdict::witness::proxy::ProxyRecord;
use harness_verdict::witness::reconciliation::{EarlierHops, Reconciliation, Sources};
use harness_verdict::witness::settlement::{Settlement, mirrored, wire_has_all};
use harness_verdict::witness::wire::AgentLog;

/// Between two looks at a condition that has no event of its own.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// How many reasons for which something of the wires was not read are kept.
const MOST_LOSSES: usize = 64;

/// The pods of a scenario, one or those of a fleet, with what every procedure needs of them.
#[derive(Debug)]
pub struct Deployment<P: Pods = OnePod> {
    /// The pods.
    pub pods: P,
    /// What is deployed at first.
    pub stack: Stack,
    /// What the proxy does for the agent.
    pub proxy: ProxyFacts,
    /// The ids of its requests.
    pub ids: RequestIds,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// What scenarios draw requests from.
    pub corpora: Arc<Corpora>,
    /// The agent's keys, and those that take their place.
    pub keys: Arc<AgentKeys>,
    /// What the scenario's time is spent on.
    pub clock: Arc<PhaseClock>,
    /// How many requests were sent whose ids the proxy cannot read.
    pub nameless: AtomicU64,
    /// How far the witnesses' logs have been read.
    reading: tokio::sync::Mutex<Reading>,
    /// The readers of the pods' wires, where the proxy has a tap.
    taps: Mutex<BTreeMap<String, WireTap>>,
    /// Whether a check was missed on the wire.
    wire_is_missed: AtomicBool,
}

/// A deployment of several pods behind one Service.
pub type FleetDeployment = Deployment<PodFleet>;

/// What a deployment is made of besides its pods.
#[derive(Debug)]
pub struct DeploymentParts {
    /// What is deployed at first.
    pub stack: Stack,
    /// What the proxy does for the agent.
    pub proxy: ProxyFacts,
    /// The ids of its requests.
    pub ids: RequestIds,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// What scenarios draw requests from.
    pub corpora: Arc<Corpora>,
    /// The agent's keys, and those that take their place.
    pub keys: Arc<AgentKeys>,
    /// What the scenario's time is spent on.
    pub clock: Arc<PhaseClock>,
}

/// What the witnesses' logs have said so far, by pod.
#[derive(Debug, Default)]
struct Reading {
    collected: CollectedByPod,
    logs: BTreeMap<String, PodLogs>,
    /// What of the wires could not be read.
    wire_losses: Vec<String>,
}

impl<P: Pods> Deployment<P> {
    /// Wraps pods that were just created.
    pub fn new(pods: P, parts: DeploymentParts) -> Self {
        let deployment = Self {
            pods,
            stack: parts.stack,
            proxy: parts.proxy,
            ids: parts.ids,
            timeouts: parts.timeouts,
            corpora: parts.corpora,
            keys: parts.keys,
            clock: parts.clock,
            nameless: AtomicU64::default(),
            reading: tokio::sync::Mutex::default(),
            taps: Mutex::default(),
            wire_is_missed: AtomicBool::default(),
        };
        deployment.tap_pods();
        deployment
    }

    /// Begins to read the wires of pods that are new.
    fn tap_pods(&self) {
        if !self.stack.is_tapped() {
            return;
        }
        let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        for FleetMember { name, pod } in self.pods.members() {
            taps.entry(name).or_insert_with(|| WireTap::start(&pod));
        }
    }

    /// Waits until the wire of every pod is read, so that no connection is older than that. Where it cannot be read, the scenario goes on without it.
    pub async fn await_taps(&self) {
        let budget = self.timeouts.wire_read;
        let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
        while polling.next().await {
            let taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
            if taps.values().all(WireTap::has_begun) {
                return;
            }
        }
        let loss = format!("a proxy did not begin to tell what passes within {budget}");
        self.reading.lock().await.wire_losses.push(loss);
    }

    /// Takes what was read of a pod's wire since the last look.
    fn heard(&self, pod: &str) -> Heard {
        let taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
        taps.get(pod).map(WireTap::take).unwrap_or_default()
    }

    /// Says how much was read of what passed between proxy and agent, and what was not.
    pub async fn wire_account(&self) -> String {
        if !self.stack.is_tapped() {
            return "not read: the proxy's configuration has no place for a tap".into();
        }
        let reading = self.reading.lock().await;
        let pods = reading.collected.values();
        let requests: usize = pods.map(|collected| collected.wire.requests()).sum();
        match reading.wire_losses.as_slice() {
            [] => format!("checks of {requests} requests were read"),
            [first, rest @ ..] => format!(
                "checks of {requests} requests were read, and not all: {first}{}",
                match rest.len() {
                    0 => String::new(),
                    more => format!(" (and {more} more reasons)"),
                }
            ),
        }
    }

    /// Starts a driver on these streams.
    pub async fn start_drive(&self, streams: Vec<Stream>) -> Result<Drive, ProcedureError> {
        self.drive(self.pods.start_driver().await?, streams).await
    }

    /// Gives a driver that was started these streams.
    pub async fn drive(
        &self,
        driver: DriverProcess,
        streams: Vec<Stream>,
    ) -> Result<Drive, ProcedureError> {
        let plan: DrivePlan = plan(
            streams,
            self.timeouts.request.as_duration(),
            self.pods.service_translated_by_driver(),
        );
        Drive::start(driver, plan).await
    }

    /// Reads a driver to its end and remembers the ids that it sent.
    pub async fn finish_drive(&self, drive: Drive) -> Result<DriveReport, ProcedureError> {
        let _phase = self.clock.enter(Phase::Traffic);
        let report = drive.finish().await?;
        self.remember_sent(&report.records);
        Ok(report)
    }

    /// Reads a driver to its end, keeps what it reports in little memory, and remembers the ids that it sent.
    pub async fn finish_round(
        &self,
        drive: Drive,
    ) -> Result<(ClientRecords, DriverSummary), ProcedureError> {
        let _phase = self.clock.enter(Phase::Traffic);
        let mut records = ClientRecords::default();
        let mut keep = |record: ClientRecord| {
            self.ids.remember([record.id.as_str()]);
            records.push(&record);
        };
        let summary = drive.finish_each(&mut keep).await?;
        Ok((records, summary))
    }

    /// Remembers the ids of requests that were sent.
    pub fn remember_sent(&self, records: &[ClientRecord]) {
        self.ids
            .remember(records.iter().map(|record| record.id.as_str()));
    }

    /// Takes in what the witnesses of every pod have recorded since the last look, and shows all of it to `look`.
    pub async fn collected_by_pod<T>(
        &self,
        look: impl FnOnce(&CollectedByPod) -> T,
    ) -> Result<T, ProcedureError> {
        let mut reading = self.reading.lock().await;
        let Reading {
            collected,
            logs,
            wire_losses,
        } = &mut *reading;
        let agents = self.stack.agent_names();
        let agent_log = if self.stack.agent_keeps_data_log() {
            AgentLog::Kept
        } else {
            AgentLog::Absent
        };
        self.tap_pods();
        for FleetMember { name, pod } in self.pods.members() {
            let collected = collected.entry(name.clone()).or_default();
            collected.agent_log = agent_log;
            let heard = self.heard(&name);
            for record in &heard.records {
                collected.add_wire(record);
            }
            let room = MOST_LOSSES.saturating_sub(wire_losses.len());
            wire_losses.extend(heard.losses.into_iter().take(room));
            collected.wire_reading = heard.reading;
            let logs = logs.entry(name).or_default();
            logs.read_on(pod.as_ref(), &agents, collected).await?;
        }
        Ok(look(collected))
    }

    /// Takes in what the witnesses have recorded since the last look, and shows the records of all pods together to `look`.
    pub async fn collected<T>(
        &self,
        look: impl FnOnce(&CollectedRecords) -> T,
    ) -> Result<T, ProcedureError> {
        self.collected_by_pod(|pods| look(&merged(pods))).await
    }

    /// Waits until every witness has recorded every request, and `copies` mirrored ones, and joins the records. What is still missing at the
    /// end of the wait is left missing: the outcome then says so.
    pub async fn settle_by_pod(
        &self,
        records: &[ClientRecord],
        copies: u64,
    ) -> Result<Vec<FleetJoined>, ProcedureError> {
        self.await_witnesses(records, copies).await?;
        let mut joined: Vec<FleetJoined> = self
            .recorded(|pods| {
                let join = |record: &ClientRecord| FleetJoined::new(record.clone(), pods);
                records.iter().map(join).collect()
            })
            .await;
        for joined in &mut joined {
            joined.joined.authorization_timeout = self.proxy.authorization_timeout;
        }
        Ok(joined)
    }

    /// Waits until every witness has recorded every request, and `copies` mirrored ones, or the time for it is over.
    async fn await_witnesses(
        &self,
        records: &(impl ClientAccounts + Sync + ?Sized),
        copies: u64,
    ) -> Result<(), ProcedureError> {
        let _phase = self.clock.enter(Phase::Settling);
        let budget = self.timeouts.witnesses_settled;
        let mut polling = Polling::within(budget.as_duration(), P::POLL_INTERVAL);
        let mut settlement = Settlement::of(records.count());
        while polling.next().await {
            let is_reached = self
                .collected_by_pod(|pods| {
                    mirrored(pods) >= copies && settlement.is_reached(records, pods)
                })
                .await?;
            if is_reached {
                break;
            }
        }
        self.await_wire(records).await
    }

    /// Waits until what passed between proxy and agent has been read of every request. A connection that is older than the tap is never read: what has not come by
    /// the end of the wait is not waited for again.
    async fn await_wire(
        &self,
        records: &(impl ClientAccounts + Sync + ?Sized),
    ) -> Result<(), ProcedureError> {
        if self.wire_is_missed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let budget = self.timeouts.wire_read;
        let mut polling = Polling::within(budget.as_duration(), P::POLL_INTERVAL);
        while polling.next().await {
            if self
                .collected_by_pod(|pods| wire_has_all(records, pods))
                .await?
            {
                return Ok(());
            }
        }
        self.wire_is_missed.store(true, Ordering::Relaxed);
        let loss = "a check that the proxy made was not seen on the wire; its connection may be older than the tap";
        self.reading.lock().await.wire_losses.push(loss.into());
        Ok(())
    }

    /// Shows what the witnesses of every pod had recorded at the last look.
    pub async fn recorded<T>(&self, look: impl FnOnce(&CollectedByPod) -> T) -> T {
        look(&self.reading.lock().await.collected)
    }

    /// Reconciles the totals of a part of the scenario's requests.
    pub async fn reconcile(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        counters: Option<(&Counters, &Counters)>,
        access_log_entries: Option<u64>,
    ) -> Result<Reconciliation, ProcedureError> {
        let none = EarlierHops::default();
        self.reconcile_with_hops(sent, outcomes, counters, access_log_entries, none)
            .await
    }

    /// Reconciles the totals of a part of the scenario's requests, of which some came by way of earlier hops.
    pub async fn reconcile_with_hops(
        &self,
        sent: u64,
        outcomes: &[Outcome],
        counters: Option<(&Counters, &Counters)>,
        access_log_entries: Option<u64>,
        earlier_hops: EarlierHops,
    ) -> Result<Reconciliation, ProcedureError> {
        let known_ids = self.ids.sent();
        self.collected(|collected| {
            Reconciliation::reconcile(&Sources {
                sent,
                outcomes,
                nameless: self.nameless.load(Ordering::Relaxed),
                known_ids: &known_ids,
                collected,
                counters,
                access_log_entries,
                earlier_hops,
            })
        })
        .await
    }
}

impl Deployment {
    /// Returns the pod.
    pub fn pod(&self) -> &dyn Pod {
        self.pods.0.as_ref()
    }

    /// Returns the proxy's address for traffic that does not pass the Service.
    pub fn proxy_address(&self) -> String {
        authority(&self.pod().addresses().pod_ip, PROXY_PORT)
    }

    /// Lets a driver make calls to the agent, and reads it to its end.
    pub async fn make_calls(&self, plan: ContractPlan) -> Result<ContractReport, ProcedureError> {
        make_calls(self.pod().start_driver().await?, plan).await
    }

    /// Waits until every witness has recorded every request, and joins the records. What is still missing at the end of the wait is left
    /// missing: the outcome then says so.
    pub async fn settle(&self, records: &[ClientRecord]) -> Result<Vec<Joined>, ProcedureError> {
        let copies = self.copies_sent().await?;
        let joined = self.settle_by_pod(records, copies).await?;
        Ok(joined.into_iter().map(|joined| joined.joined).collect())
    }

    /// Waits until every witness has recorded every request of a round.
    pub async fn settle_round(&self, clients: &ClientRecords) -> Result<(), ProcedureError> {
        let copies = self.copies_sent().await?;
        self.await_witnesses(clients, copies).await
    }

    /// Shows the requests of a round by what the witnesses had recorded at the last look.
    pub async fn joined<T>(
        &self,
        clients: &ClientRecords,
        look: impl FnOnce(JoinedRequests<'_>) -> T,
    ) -> T {
        self.recorded(|pods| {
            look(JoinedRequests {
                clients,
                collected: &merged(pods),
                authorization_timeout: self.proxy.authorization_timeout,
            })
        })
        .await
    }

    /// Joins what the witnesses say of one request.
    pub fn join(&self, record: &ClientRecord, collected: &CollectedRecords) -> Joined {
        Joined {
            authorization_timeout: self.proxy.authorization_timeout,
            ..Joined::new(record.clone(), collected)
        }
    }

    /// Returns how many copies of requests the proxy has mirrored so far. Nobody waits for their answers: an answer to the
    /// client does not mean that they have arrived.
    async fn copies_sent(&self) -> Result<u64, ProcedureError> {
        let mirrors = self
            .stack
            .proxy_config()
            .is_some_and(|config| config.contains("request_mirror_policies"));
        if mirrors {
            Ok(self.counters().await?.sum_ending(MIRRORED))
        } else {
            Ok(0)
        }
    }

    /// Waits for the proxy's next record of a request whose id it cannot read, beyond the first `seen`, and gives it this id.
    pub async fn nameless_record(
        &self,
        seen: usize,
        id: &str,
    ) -> Result<Option<ProxyRecord>, ProcedureError> {
        let budget = self.timeouts.witnesses_settled;
        let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
        while polling.next().await {
            let record = self
                .collected(|collected| collected.proxy.without_id.get(seen).cloned())
                .await?;
            if let Some(record) = record {
                return Ok(Some(ProxyRecord {
                    id: id.into(),
                    ..record
                }));
            }
        }
        Ok(None)
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
        let response = self.pod().http(request, self.timeouts.proxy_admin).await?;
        match response.status {
            200 => Ok(response.body),
            status => Err(ProcedureError::Admin {
                question: path.into(),
                status,
            }),
        }
    }
}
