//! The doors of the gRPC server: addresses or a socket, with one bound on the connections that come through them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::agent::error::AgentError;
use crate::agent::phase::{AgentPhase, until_draining};
use crate::agent::resources::GrpcListener;
use crate::agent::running::local_addresses;
use crate::connection::{ByteStream, Connection, accept_grpc};
use crate::listener::{Accept, Door};

/// Accepts connections for the gRPC server.
pub(super) struct GrpcAcceptance<'agent> {
    pub(super) phases: &'agent watch::Receiver<AgentPhase>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) sender: mpsc::Sender<io::Result<Connection>>,
    pub(super) background: &'agent mut JoinSet<Result<(), AgentError>>,
    /// How much later than everything else the doors open.
    pub(super) delay: Option<Duration>,
}

impl GrpcAcceptance<'_> {
    /// Opens the doors; returns the addresses, or the path of the socket.
    pub(super) fn open(&mut self, listener: GrpcListener) -> (Vec<SocketAddr>, Option<PathBuf>) {
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        match listener {
            GrpcListener::Tcp(listeners) => {
                let addresses = local_addresses(&listeners);
                if let Some(delay) = self.delay {
                    drop(listeners);
                    for address in &addresses {
                        self.later(*address, delay, Arc::clone(&places));
                    }
                    return (addresses, None);
                }
                for listener in listeners {
                    self.through(Door::new(listener, Arc::clone(&places)));
                }
                (addresses, None)
            }
            GrpcListener::Unix(listener, path) => {
                self.through(Door::new(listener, places));
                (vec![], Some(path))
            }
        }
    }

    fn later(&mut self, address: SocketAddr, delay: Duration, places: Arc<Semaphore>) {
        let (tls, sender) = (self.tls.clone(), self.sender.clone());
        let acceptance = async move {
            tokio::time::sleep(delay).await;
            match TcpListener::bind(address).await {
                Ok(listener) => accept_grpc(Door::new(listener, places), tls, sender).await,
                Err(error) => tracing::error!(%error, "the address was taken meanwhile"),
            }
        };
        self.background
            .spawn(until_draining(self.phases.clone(), acceptance));
    }

    fn through<Listener>(&mut self, door: Door<Listener>)
    where
        Listener: Accept<Accepted: ByteStream + 'static> + Sync + 'static,
    {
        let acceptance = accept_grpc(door, self.tls.clone(), self.sender.clone());
        self.background
            .spawn(until_draining(self.phases.clone(), acceptance));
    }
}

const MOST_CONNECTIONS: usize = 512;
