//! The listener that modules would use.
//!
//! Nothing speaks the module protocol here. The listener exists because deployments mount its place and check for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::agent::error::AgentError;
use crate::agent::phase::{AgentPhase, until_draining};
use crate::listener::{Door, listen, listen_on_socket};
use crate::settings::SocketTarget;

/// The open listener.
pub(super) enum RpcListener {
    Tcp(Vec<TcpListener>),
    Unix(UnixListener, PathBuf),
}

/// Opens the listener, over a socket that a killed agent left behind.
pub(super) fn open(address: &SocketTarget) -> Result<RpcListener, AgentError> {
    match address {
        SocketTarget::Tcp(address) => Ok(RpcListener::Tcp(listen(address)?)),
        SocketTarget::Unix(path) => Ok(RpcListener::Unix(listen_on_socket(path)?, path.clone())),
    }
}

/// Accepts and closes until the agent stops; returns the socket's path, to be removed then.
pub(super) fn accept(
    rpc: RpcListener,
    phases: &watch::Receiver<AgentPhase>,
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

const MOST_CONNECTIONS: usize = 64;
const SOCKET_BACK_OFF: Duration = Duration::from_millis(100);
