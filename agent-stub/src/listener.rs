//! Listening: addresses and sockets, and bounded acceptance.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, ToSocketAddrs as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::ListenAddress;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The host has no address.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The host's name resolves to nothing.
    #[error("cannot resolve {host}: it has no address")]
    NoAddress {
        /// The host.
        host: String,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen on the socket {}", path.display())]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Opens the listeners of an address: one, or for `localhost` one per loopback address that exists.
///
/// # Errors
///
/// The host has no address, or the address cannot be bound.
pub fn listen(address: &ListenAddress) -> Result<Vec<TcpListener>, ListenError> {
    if address.host != "localhost" {
        return Ok(vec![bind(resolve(address)?)?]);
    }
    let first = bind(([127, 0, 0, 1], address.port).into())?;
    let port = first
        .local_addr()
        .map_or(address.port, |bound| bound.port());
    // Envoy may resolve `localhost` to either address; a listener on one of them refuses half of the world.
    match bind(([0, 0, 0, 0, 0, 0, 0, 1], port).into()) {
        Ok(second) => Ok(vec![first, second]),
        Err(ListenError::Bind { source, .. }) if is_absent(&source) => Ok(vec![first]),
        Err(error) => Err(error),
    }
}

/// Makes a unix socket, over one that a killed agent left behind.
///
/// # Errors
///
/// The socket cannot be made, or its path is taken.
pub fn listen_on_socket(path: &Path) -> Result<UnixListener, ListenError> {
    bind_socket(path).map_err(|source| ListenError::Socket {
        path: path.into(),
        source,
    })
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

/// Removes a socket.
pub fn remove_socket(path: &Path) {
    if let Err(error) = fs_err::remove_file(path) {
        tracing::warn!(%error, "the socket stays behind");
    }
}

/// Finds the first address of a host.
///
/// # Errors
///
/// The host has no address.
pub fn resolve(address: &ListenAddress) -> Result<SocketAddr, ListenError> {
    let mut addresses = (address.host.as_str(), address.port)
        .to_socket_addrs()
        .map_err(|source| ListenError::Resolve {
            host: address.host.clone(),
            source,
        })?;
    addresses.next().ok_or_else(|| ListenError::NoAddress {
        host: address.host.clone(),
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let open = || {
        let listener = StdTcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    open().map_err(|source| ListenError::Bind { address, source })
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(nix::errno::Errno::EAFNOSUPPORT as i32)
}

/// What connections can be accepted from.
pub trait Accept: Send {
    /// A connection.
    type Accepted: Send;

    /// Waits for the next connection.
    fn accept_one(&self) -> impl Future<Output = io::Result<Self::Accepted>> + Send;
}

impl Accept for TcpListener {
    type Accepted = TcpStream;

    async fn accept_one(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Accepted = UnixStream;

    async fn accept_one(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// Accepts connections, no more than a limit at a time.
#[derive(Debug)]
pub struct Door<Listener = TcpListener> {
    listener: Listener,
    places: Arc<Semaphore>,
}

impl<Listener: Accept> Door<Listener> {
    /// Opens the door for a number of connections at a time.
    pub fn new(listener: Listener, places: Arc<Semaphore>) -> Self {
        Self { listener, places }
    }

    /// Waits for the next connection. When the system has no descriptors left, it waits for longer and longer.
    ///
    /// # Panics
    ///
    /// Never: the semaphore that counts the places is not closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no connection.
    pub async fn next(&self) -> (Listener::Accepted, OwnedSemaphorePermit) {
        let mut back_off = SHORTEST_BACK_OFF;
        loop {
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            match self.listener.accept_one().await {
                Ok(stream) => return (stream, place),
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(back_off).await;
                    back_off = (back_off * 2).min(LONGEST_BACK_OFF);
                }
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

const SHORTEST_BACK_OFF: Duration = Duration::from_millis(20);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);
