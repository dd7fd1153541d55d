//! Why an agent does not start, or does not go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::listener::ListenError;
use crate::settings::RulesFileError;
use crate::tls::TlsError;
use crate::workspace::WorkspaceError;

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
    /// The rules file is unusable at the start.
    #[error(transparent)]
    RulesFile(#[from] RulesFileError),
    /// The files that come with the rules cannot be written.
    #[error("cannot write the loaded rules")]
    Rules(#[source] io::Error),
    /// A task that the agent cannot do without panicked.
    #[error("cannot go on after a panic")]
    Task(#[source] tokio::task::JoinError),
    /// The gRPC server ended by itself.
    #[error("cannot go on serving gRPC")]
    Server(#[source] Option<tonic::transport::Error>),
}
