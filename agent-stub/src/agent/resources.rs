//! What an agent must have before it serves: places to write to, a TLS identity, and its listeners.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::agent::error::AgentError;
use crate::agent::module_listener::{self, RpcListener};
use crate::data_log::DataLog;
use crate::listener::{listen, resolve};
use crate::settings::{RpcAddress, Settings};
use crate::statsd::Statsd;
use crate::tls;
use crate::workspace::{Workspace, directory_of, prove_writable};

/// What must be had before the first listener opens.
pub(super) struct Resources {
    pub(super) workspace: Workspace,
    pub(super) data_log: Option<Arc<DataLog>>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) statsd: Arc<Statsd>,
}

/// The listeners, all of them open.
pub(super) struct Listeners {
    pub(super) grpc: Vec<TcpListener>,
    pub(super) startup_probe: Vec<TcpListener>,
    pub(super) rpc: RpcListener,
}

impl Resources {
    pub(super) fn prepare(settings: &Settings) -> Result<Self, AgentError> {
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
    pub(super) fn open(settings: &Settings) -> Result<Self, AgentError> {
        let grpc = listen(&settings.grpc_address)?;
        let startup_probe = settings
            .startup_probe_listener
            .as_ref()
            .map(listen)
            .transpose()?
            .unwrap_or_default();
        let rpc = module_listener::open(&settings.rpc_address)?;
        Ok(Self {
            grpc,
            startup_probe,
            rpc,
        })
    }
}
