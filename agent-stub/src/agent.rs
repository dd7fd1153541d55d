//! The agent's life: prepare everything, open the listeners, load the rules, and stop without losing a line.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogServiceServer;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::context::Contexts;
use crate::data_log::DataLog;
use crate::listener::{Connection, Door, ListenError, accept_grpc, listen, resolve};
use crate::rules::{Rules, RulesLoader};
use crate::service::{AccessLog, Authorizer, Decisions, serve_startup_probe};
use crate::settings::{RpcAddress, RulesDelay, Settings};
use crate::statsd::Statsd;
use crate::tls::{self, TlsError};
use crate::workspace::{Workspace, WorkspaceError, directory_of, prove_writable};

/// How far the agent's life has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Requests are decided.
    Serving,
    /// No connection is accepted any more; what is under way is finished.
    Draining,
    /// Access-log streams are ended too.
    Closing,
}

/// Why the agent does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A directory is not writable.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The data log cannot be opened.
    #[error("cannot open the WAF data log {}", path.display())]
    DataLog {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The TLS identity is unusable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on, or not be resolved.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The `StatsD` sink has no route.
    #[error("cannot send counters to {address}")]
    Statsd {
        /// The sink.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The module listener's socket cannot be made.
    #[error("cannot listen on the socket {}", path.display())]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The files that come with the rules cannot be written.
    #[error("cannot write the loaded rules")]
    Rules(#[source] io::Error),
    /// The gRPC server ended by itself.
    #[error("cannot go on serving gRPC")]
    Server(#[source] Option<tonic::transport::Error>),
}

/// An agent that serves.
#[derive(Debug)]
pub struct RunningAgent {
    grpc_addresses: Vec<SocketAddr>,
    startup_probe_address: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    health: HealthReporter,
    contexts: Arc<Contexts>,
    data_log: Option<Arc<DataLog>>,
    socket: Option<PathBuf>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
    // What runs until the agent stops; each is cut off then.
    background: JoinSet<Result<(), AgentError>>,
}

/// What must be had before the first listener opens.
struct Resources {
    workspace: Workspace,
    data_log: Option<Arc<DataLog>>,
    tls: Option<TlsAcceptor>,
    statsd: Arc<Statsd>,
}

/// The listeners, all of them open.
struct Listeners {
    grpc: Vec<TcpListener>,
    startup_probe: Vec<TcpListener>,
    rpc: RpcListener,
}

enum RpcListener {
    Tcp(Vec<TcpListener>),
    Unix(UnixListener, PathBuf),
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
        let contexts = Arc::new(Contexts::new(settings.timings.context_expiration));
        let (loader, rules) = Rules::loading();
        let (phase, phases) = watch::channel(Phase::Serving);
        let mut background = JoinSet::new();

        // Rules that need no time are there before the first request, so that a start without delay has no gap.
        match settings.timings.rules_delay {
            RulesDelay::After(Duration::ZERO) => load_rules(&resources.workspace, &loader)?,
            RulesDelay::After(delay) => {
                let workspace = resources.workspace.clone();
                background.spawn(async move {
                    tokio::time::sleep(delay).await;
                    load_rules(&workspace, &loader)?;
                    std::future::pending().await
                });
            }
            RulesDelay::Never => {}
        }

        let grpc_addresses = local_addresses(&listeners.grpc);
        let startup_probe_address = local_addresses(&listeners.startup_probe).first().copied();
        let authorizer = Authorizer::new(Decisions::new(
            settings,
            rules.clone(),
            Arc::clone(&contexts),
            resources.data_log.clone(),
            Arc::clone(&resources.statsd),
        ));
        let access_log = AccessLog::new(
            Arc::clone(&contexts),
            resources.data_log.clone(),
            Arc::clone(&resources.statsd),
            phases.clone(),
        );
        let health = HealthReporter::new();
        let (sender, connections) = mpsc::channel(ADMITTED_WAITING);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        for listener in listeners.grpc {
            let door = Door::new(listener, Arc::clone(&places));
            let acceptance = accept_grpc(door, resources.tls.clone(), sender.clone());
            background.spawn(until_draining(phases.clone(), acceptance));
        }
        drop(sender);
        let server = tokio::spawn(serve(
            settings.longest_message,
            authorizer,
            access_log,
            health.clone(),
            connections,
            phases.clone(),
        ));
        let places = Arc::new(Semaphore::new(MOST_PROBES));
        for listener in listeners.startup_probe {
            let answers =
                serve_startup_probe(Door::new(listener, Arc::clone(&places)), rules.clone());
            background.spawn(until_draining(phases.clone(), answers));
        }
        let socket = open_module_listener(listeners.rpc, &phases, &mut background);
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
            socket,
            server,
            background,
        })
    }

    /// Returns the addresses of the gRPC listener.
    pub fn grpc_addresses(&self) -> &[SocketAddr] {
        &self.grpc_addresses
    }

    /// Returns the address of the startup probe's listener.
    pub fn startup_probe_address(&self) -> Option<SocketAddr> {
        self.startup_probe_address
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
                Some(ended) = self.background.join_next() => if let Ok(Err(error)) = ended {
                    return error;
                },
            }
        }
    }

    /// Stops: reports itself as not serving, finishes what is under way within a bound, and writes out what still waits.
    pub async fn shut_down(mut self) {
        for service in HEALTH_SERVICES {
            self.health
                .set_service_status(*service, ServingStatus::NotServing)
                .await;
        }
        let end = Instant::now() + DRAIN_BUDGET;
        self.phase.send_replace(Phase::Draining);
        self.await_access_log().await;
        self.phase.send_replace(Phase::Closing);
        if tokio::time::timeout_at(end, &mut self.server)
            .await
            .is_err()
        {
            tracing::warn!("requests were still under way at the end of the drain budget");
            self.server.abort();
        }
        self.background.shutdown().await;
        let unanswered = self.contexts.drain();
        if let Some(data_log) = &self.data_log {
            data_log.write_all(&unanswered);
        }
        if let Some(socket) = &self.socket {
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

impl Resources {
    fn prepare(settings: &Settings) -> Result<Self, AgentError> {
        let workspace = Workspace::prepare(
            &settings.cache_directory,
            settings.startup_probe_file.as_deref(),
        )?;
        match &settings.rpc_address {
            RpcAddress::Unix(path) => prove_writable(directory_of(path))?,
            RpcAddress::Tcp(_) => {}
        }
        let data_log = settings
            .data_log
            .as_ref()
            .map(|target| {
                DataLog::open(target)
                    .map(Arc::new)
                    .map_err(|source| AgentError::DataLog {
                        path: target.path.clone(),
                        source,
                    })
            })
            .transpose()?;
        let tls = settings.tls.as_ref().map(tls::load).transpose()?;
        let statsd = match &settings.statsd_address {
            None => Statsd::disabled(),
            Some(sink) => {
                let address = resolve(sink)?;
                Statsd::connect(address).map_err(|source| AgentError::Statsd { address, source })?
            }
        };
        Ok(Self {
            workspace,
            data_log,
            tls,
            statsd: Arc::new(statsd),
        })
    }
}

impl Listeners {
    fn open(settings: &Settings) -> Result<Self, AgentError> {
        let grpc = listen(&settings.grpc_address)?;
        let startup_probe = settings
            .startup_probe_listener
            .as_ref()
            .map(listen)
            .transpose()?
            .unwrap_or_default();
        let rpc = match &settings.rpc_address {
            RpcAddress::Tcp(address) => RpcListener::Tcp(listen(address)?),
            RpcAddress::Unix(path) => {
                let socket = bind_socket(path).map_err(|source| AgentError::Socket {
                    path: path.clone(),
                    source,
                })?;
                RpcListener::Unix(socket, path.clone())
            }
        };
        Ok(Self {
            grpc,
            startup_probe,
            rpc,
        })
    }
}

fn load_rules(workspace: &Workspace, loader: &RulesLoader) -> Result<(), AgentError> {
    workspace.write_cache().map_err(AgentError::Rules)?;
    loader.finish();
    // Only now may a probe find its file: inspection already works.
    workspace.write_probe_file().map_err(AgentError::Rules)?;
    tracing::info!("rules loaded");
    Ok(())
}

async fn serve(
    longest_message: usize,
    authorizer: Authorizer,
    access_log: AccessLog,
    health: HealthReporter,
    connections: mpsc::Receiver<io::Result<Connection>>,
    mut phases: watch::Receiver<Phase>,
) -> Result<(), tonic::transport::Error> {
    for service in HEALTH_SERVICES {
        health
            .set_service_status(*service, ServingStatus::Serving)
            .await;
    }
    let incoming = ReceiverStream::new(connections);
    Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .concurrency_limit_per_connection(MOST_CALLS)
        .load_shed(true)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(
            AuthorizationServer::new(authorizer).max_decoding_message_size(longest_message),
        )
        .add_service(
            AccessLogServiceServer::new(access_log).max_decoding_message_size(longest_message),
        )
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            health,
        )))
        .serve_with_incoming_shutdown(incoming, async move {
            // An error means that the agent itself is gone.
            let _ended = phases.wait_for(|phase| *phase != Phase::Serving).await;
        })
        .await
}

async fn until_draining(
    mut phases: watch::Receiver<Phase>,
    work: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    tokio::select! {
        () = work => {}
        _ = phases.wait_for(|phase| *phase != Phase::Serving) => {}
    }
    Ok(())
}

async fn clean(contexts: Arc<Contexts>, data_log: Option<Arc<DataLog>>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let expired = contexts.expire();
        if let Some(data_log) = &data_log {
            data_log.write_all(&expired);
        }
    }
}

fn cleaning_interval(settings: &Settings) -> Duration {
    let prompt = settings.timings.context_expiration / 2;
    settings
        .timings
        .cleaner_interval
        .min(prompt)
        .max(SHORTEST_CLEANING)
}

fn local_addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect()
}

// Nothing speaks the module protocol here. The listener exists because deployments mount and check it.
fn open_module_listener(
    rpc: RpcListener,
    phases: &watch::Receiver<Phase>,
    background: &mut JoinSet<Result<(), AgentError>>,
) -> Option<PathBuf> {
    match rpc {
        RpcListener::Tcp(listeners) => {
            let places = Arc::new(Semaphore::new(MOST_PROBES));
            for listener in listeners {
                let door = Door::new(listener, Arc::clone(&places));
                background.spawn(until_draining(phases.clone(), async move {
                    loop {
                        drop(door.next().await);
                    }
                }));
            }
            None
        }
        RpcListener::Unix(listener, path) => {
            background.spawn(until_draining(phases.clone(), async move {
                loop {
                    if listener.accept().await.is_err() {
                        tokio::time::sleep(SOCKET_BACK_OFF).await;
                    }
                }
            }));
            Some(path)
        }
    }
}

fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = fs_err::symlink_metadata(path)?.file_type().is_socket();
            let is_stale = is_socket && std::os::unix::net::UnixStream::connect(path).is_err();
            if !is_stale {
                return Err(error);
            }
            // Left behind by an agent that was killed; its volume outlives the container.
            fs_err::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

fn remove_socket(path: &Path) {
    if let Err(error) = fs_err::remove_file(path) {
        tracing::warn!(%error, "the socket stays behind");
    }
}

const HEALTH_SERVICES: &[&str] = &[
    "",
    "envoy.service.auth.v3.Authorization",
    "envoy.service.accesslog.v3.AccessLogService",
];
const MOST_CONNECTIONS: usize = 512;
const MOST_PROBES: usize = 64;
const ADMITTED_WAITING: usize = 16;
const MOST_STREAMS: u32 = 512;
const MOST_CALLS: usize = 512;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const DRAIN_BUDGET: Duration = Duration::from_secs(10);
const ACCESS_LOG_BUDGET: Duration = Duration::from_millis(2_500);
const ACCESS_LOG_LOOK: Duration = Duration::from_millis(10);
const SHORTEST_CLEANING: Duration = Duration::from_millis(5);
const SOCKET_BACK_OFF: Duration = Duration::from_millis(100);
