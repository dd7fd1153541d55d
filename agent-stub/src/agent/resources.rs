//! What an agent must have before it serves: places to write to, a TLS identity, and its listeners.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use crate::agent::error::AgentError;
use crate::agent::module_listener::{self, RpcListener};
use crate::data_log::DataLog;
use crate::listener::{ListenError, listen, listen_on_socket, resolve};
use crate::settings::{Policy, Settings, SocketTarget};
use crate::statsd::Statsd;
use crate::tls;
use crate::workspace::{Workspace, directory_of, prove_writable};

/// What must be had before the first listener opens.
pub(super) struct Resources {
    pub(super) workspace: Workspace,
    pub(super) policy: Policy,
    pub(super) data_log: Option<Arc<DataLog>>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) statsd: Arc<Statsd>,
}

/// The listeners, all of them open.
pub(super) struct Listeners {
    pub(super) grpc: GrpcListener,
    pub(super) startup_probe: Vec<TcpListener>,
    pub(super) rpc: RpcListener,
}

/// Where Envoy connects.
pub(super) enum GrpcListener {
    Tcp(Vec<TcpListener>),
    Unix(UnixListener, PathBuf),
}

impl Resources {
    pub(super) fn prepare(settings: &Settings) -> Result<Self, AgentError> {
        settings.fault_hooks.begin(settings)?;
        let cache_directory = settings
            .fault_hooks
            .cache_directory(&settings.cache_directory);
        let prepared = Workspace::prepare(&cache_directory, settings.startup_probe_file.as_deref());
        let workspace = settings
            .fault_hooks
            .put_up_with(prepared, Workspace::nowhere())?;
        for target in [&settings.rpc_address, &settings.grpc_address] {
            match target {
                SocketTarget::Unix(path) => settings
                    .fault_hooks
                    .put_up_with(prove_writable(directory_of(path)), ())?,
                SocketTarget::Tcp(_) => {}
            }
        }
        let policy = match &settings.fault_hooks.first_rules(settings) {
            // Rules that have not been handed out yet leave the settings as they are; a reload finds them.
            Some(path) if !path.exists() => {
                tracing::warn!(path = %path.display(), "the rules file is not there yet");
                settings.policy.clone()
            }
            Some(path) => settings.policy.overridden_by(path)?,
            None => settings.policy.clone(),
        };
        let data_log = settings
            .data_log
            .as_ref()
            .map(|target| {
                DataLog::open(target, settings.fault_hooks.clone())
                    .map(Arc::new)
                    .map_err(|source| AgentError::DataLog {
                        path: target.path.clone(),
                        source,
                    })
            })
            .transpose()?;
        let identity = settings.tls.as_ref();
        let tls = identity
            .filter(|_| settings.fault_hooks.shows_certificate())
            .map(tls::load)
            .transpose()?;
        let statsd = match &settings.statsd_address {
            None => Statsd::disabled(),
            Some(sink) => {
                let address = resolve(sink)?;
                Statsd::connect(address).map_err(|source| AgentError::Statsd { address, source })?
            }
        };
        Ok(Self {
            workspace,
            policy,
            data_log,
            tls,
            statsd: Arc::new(statsd),
        })
    }
}

impl Listeners {
    pub(super) fn open(settings: &Settings) -> Result<Self, AgentError> {
        let grpc = open_grpc(&settings.grpc_address)?;
        let startup_probe = settings
            .startup_probe_listener
            .as_ref()
            .map(listen)
            .transpose()?
            .unwrap_or_default();
        let rpc = settings.fault_hooks.put_up_with(
            module_listener::open(&settings.rpc_address),
            RpcListener::Tcp(vec![]),
        )?;
        Ok(Self {
            grpc,
            startup_probe,
            rpc,
        })
    }
}

fn open_grpc(target: &SocketTarget) -> Result<GrpcListener, AgentError> {
    match target {
        SocketTarget::Tcp(address) => Ok(GrpcListener::Tcp(listen(address)?)),
        SocketTarget::Unix(path) => {
            let listener = listen_on_socket(path)?;
            // Envoy runs as another user; who may reach the socket is the directory's affair.
            fs_err::set_permissions(path, Permissions::from_mode(0o666)).map_err(|source| {
                ListenError::Socket {
                    path: path.clone(),
                    source,
                }
            })?;
            Ok(GrpcListener::Unix(listener, path.clone()))
        }
    }
}
