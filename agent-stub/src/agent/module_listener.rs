//! The listener that modules would use.
//!
//! Nothing speaks the module protocol here. The listener exists because deployments mount its place and check for it.

use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::agent::error::AgentError;
use crate::agent::phase::{Phase, until_draining};
use crate::listener::{Door, listen};
use crate::settings::RpcAddress;

/// The open listener.
pub(super) enum RpcListener {
    Tcp(Vec<TcpListener>),
    Unix(UnixListener, PathBuf),
}

/// Opens the listener, over a socket that a killed agent left behind.
pub(super) fn open(address: &RpcAddress) -> Result<RpcListener, AgentError> {
    match address {
        RpcAddress::Tcp(address) => Ok(RpcListener::Tcp(listen(address)?)),
        RpcAddress::Unix(path) => {
            let socket = bind_socket(path).map_err(|source| AgentError::Socket {
                path: path.clone(),
                source,
            })?;
            Ok(RpcListener::Unix(socket, path.clone()))
        }
    }
}

/// Accepts and closes until the agent stops; returns the socket's path, to be removed then.
pub(super) fn accept(
    rpc: RpcListener,
    phases: &watch::Receiver<Phase>,
    background: &mut JoinSet<Result<(), AgentError>>,
) -> Option<PathBuf> {
    match rpc {
        RpcListener::Tcp(listeners) => {
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
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

/// Removes the socket.
pub(super) fn remove_socket(path: &Path) {
    if let Err(error) = fs_err::remove_file(path) {
        tracing::warn!(%error, "the socket stays behind");
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

const MOST_CONNECTIONS: usize = 64;
const SOCKET_BACK_OFF: Duration = Duration::from_millis(100);
