//! An agent from its start to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tonic_health::server::HealthReporter;

use crate::agent::acceptance::GrpcAcceptance;
use crate::agent::error::AgentError;
use crate::agent::phase::{AgentPhase, until_draining};
use crate::agent::resources::{Listeners, Resources};
use crate::agent::tasks::{
    clean, cleaning_interval, load_rules, reload_rules, rules_delay, send_gauges,
};
use crate::agent::{grpc, module_listener};
use crate::context::Contexts;
use crate::data_log::DataLog;
use crate::listener::{Door, remove_socket};
use crate::mutant::{FaultHooks, ProbeFile};
use crate::rules::{Rules, RulesLoader};
use crate::service::{AccessLog, Authorizer, Decisions, serve_startup_probe};
use crate::settings::{RulesDelay, Settings};
use crate::workspace::Workspace;

/// An agent that serves.
#[derive(Debug)]
pub struct RunningAgent {
    grpc_addresses: Vec<SocketAddr>,
    startup_probe_address: Option<SocketAddr>,
    phase: watch::Sender<AgentPhase>,
    health: HealthReporter,
    contexts: Arc<Contexts>,
    data_log: Option<Arc<DataLog>>,
    sockets: Vec<PathBuf>,
    reload: Arc<Notify>,
    fault_hooks: FaultHooks,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    // What runs until the agent stops; each is cut off then.
    background: JoinSet<Result<(), AgentError>>,
}

impl RunningAgent {
    /// Starts an agent, or fails before it has served anything.
    ///
    /// # Panics
    ///
    /// When called outside of a Tokio runtime.
    ///
    /// # Errors
    ///
    /// A directory, file, address or TLS identity cannot be had.
    pub fn start(settings: &Settings) -> Result<Self, AgentError> {
        let resources = Resources::prepare(settings)?;
        let listeners = Listeners::open(settings)?;
        let contexts = Arc::new(Contexts::new(
            settings
                .fault_hooks
                .expiration(settings.timings.context_expiration),
            settings.anomalies,
        ));
        let (loader, updater, rules) = Rules::loading(resources.policy);
        let (phase, phases) = watch::channel(AgentPhase::Serving);
        let mut background = JoinSet::new();

        start_loading(settings, &resources.workspace, loader, &mut background)?;
        let reload = Arc::new(Notify::new());
        background.spawn(until_draining(
            phases.clone(),
            reload_rules(settings.clone(), updater, Arc::clone(&reload)),
        ));
        let startup_probe_address = local_addresses(&listeners.startup_probe).first().copied();
        let decisions = Decisions::new(
            settings,
            rules.clone(),
            Arc::clone(&contexts),
            resources.data_log.clone(),
            Arc::clone(&resources.statsd),
        );
        let authorizer = Authorizer::new(settings, decisions);
        let access_log = AccessLog::new(
            Arc::clone(&contexts),
            resources.data_log.clone(),
            Arc::clone(&resources.statsd),
            phases.clone(),
            settings,
        );
        let health = HealthReporter::new();
        let (sender, connections) = mpsc::channel(ADMITTED_WAITING);
        let mut accept = GrpcAcceptance {
            phases: &phases,
            tls: resources.tls,
            sender,
            background: &mut background,
            delay: settings.fault_hooks.listening_delay(),
        };
        let (grpc_addresses, grpc_socket) = accept.open(listeners.grpc);
        drop(accept);
        let server = tokio::spawn(grpc::serve(
            settings
                .fault_hooks
                .longest_message(settings.longest_message),
            settings.fault_hooks.health(),
            authorizer,
            access_log,
            health.clone(),
            connections,
            phases.clone(),
        ));
        let places = Arc::new(Semaphore::new(MOST_PROBES));
        for listener in listeners.startup_probe {
            let answers = serve_startup_probe(
                Door::new(listener, Arc::clone(&places)),
                rules.clone(),
                settings.fault_hooks.clone(),
            );
            background.spawn(until_draining(phases.clone(), answers));
        }
        let rpc_socket = module_listener::accept(listeners.rpc, &phases, &mut background);
        background.spawn(until_draining(
            phases.clone(),
            send_gauges(Arc::clone(&resources.statsd)),
        ));
        background.spawn(until_draining(
            phases,
            clean(
                Arc::clone(&contexts),
                resources.data_log.clone(),
                cleaning_interval(settings),
            ),
        ));
        Ok(Self {
            grpc_addresses,
            startup_probe_address,
            phase,
            health,
            contexts,
            data_log: resources.data_log,
            sockets: grpc_socket.into_iter().chain(rpc_socket).collect(),
            reload,
            fault_hooks: settings.fault_hooks.clone(),
            server,
            background,
        })
    }

    /// Returns the addresses of the gRPC listener; none when it is a unix socket.
    pub fn grpc_addresses(&self) -> &[SocketAddr] {
        &self.grpc_addresses
    }

    /// Returns the address of the startup probe's listener.
    pub fn startup_probe_address(&self) -> Option<SocketAddr> {
        self.startup_probe_address
    }

    /// Reads the rules file again after its delay. Rules that cannot be used leave those that hold in place.
    pub fn reload_rules(&self) {
        self.reload.notify_one();
    }

    /// Waits until something fails that the agent cannot do without.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the agent running.
    pub async fn failure(&mut self) -> AgentError {
        loop {
            tokio::select! {
                ended = &mut self.server => return AgentError::Server(ended.ok().and_then(Result::err)),
                Some(ended) = self.background.join_next() => match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error,
                    Err(panic) => return AgentError::Task(panic),
                },
            }
        }
    }

    /// Stops: reports itself as not serving, finishes what is under way within a bound, and writes out what still waits.
    pub async fn shut_down(mut self) {
        grpc::report_stopping(&self.health).await;
        let end = Instant::now() + DRAIN_BUDGET;
        self.phase.send_replace(AgentPhase::Draining);
        self.await_access_log().await;
        self.phase.send_replace(AgentPhase::Closing);
        // A server whose end was already seen must not be awaited again.
        if !self.server.is_finished()
            && tokio::time::timeout_at(end, &mut self.server)
                .await
                .is_err()
        {
            tracing::warn!("requests were still under way at the end of the drain budget");
            self.server.abort();
        }
        self.background.shutdown().await;
        let unanswered = self.contexts.drain();
        if let Some(data_log) = &self.data_log
            && self.fault_hooks.keeps_waiting_records()
        {
            data_log.write_all(&unanswered);
        }
        for socket in &self.sockets {
            remove_socket(socket);
        }
        tracing::info!("stopped");
    }

    // Envoy sends its access log about once a second; what it still owes is worth that wait, and no more.
    async fn await_access_log(&self) {
        let end = Instant::now() + ACCESS_LOG_BUDGET;
        while self.data_log.is_some() && self.contexts.has_waiting_records() && Instant::now() < end
        {
            tokio::time::sleep(ACCESS_LOG_LOOK).await;
        }
    }
}

fn start_loading(
    settings: &Settings,
    workspace: &Workspace,
    loader: RulesLoader,
    background: &mut JoinSet<Result<(), AgentError>>,
) -> Result<(), AgentError> {
    let probe_file = settings.fault_hooks.probe_file();
    if probe_file == ProbeFile::Early {
        workspace.write_probe_file().map_err(AgentError::Rules)?;
    }
    match rules_delay(settings) {
        // Rules that need no time are there before the first request, so that a start without delay has no gap.
        RulesDelay::After(Duration::ZERO) => load_rules(workspace, &loader, probe_file),
        RulesDelay::After(delay) => {
            let workspace = workspace.clone();
            background.spawn(async move {
                tokio::time::sleep(delay).await;
                load_rules(&workspace, &loader, probe_file)?;
                std::future::pending().await
            });
            Ok(())
        }
        RulesDelay::Never => Ok(()),
    }
}

pub(super) fn local_addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect()
}

const MOST_PROBES: usize = 64;
const ADMITTED_WAITING: usize = 16;
const DRAIN_BUDGET: Duration = Duration::from_secs(10);
const ACCESS_LOG_BUDGET: Duration = Duration::from_millis(2_500);
const ACCESS_LOG_LOOK: Duration = Duration::from_millis(10);
