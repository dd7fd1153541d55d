//! Listening: addresses, bounded acceptance, and the handshake that a connection must finish in time.
//!
//! tonic's own acceptance has no handshake deadline (half a preface stays open for ever) and spins when descriptors run
//! out. So connections are accepted here and reach tonic once they have shown that they speak HTTP/2.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

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

/// Accepts connections, no more than a limit at a time.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Door {
    /// Opens the door for a number of connections at a time.
    pub fn new(listener: TcpListener, places: Arc<Semaphore>) -> Self {
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
    pub async fn next(&self) -> (TcpStream, OwnedSemaphorePermit) {
        let mut back_off = SHORTEST_BACK_OFF;
        loop {
            let place = Arc::clone(&self.places)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, place),
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

/// A connection that has shown that it speaks HTTP/2.
pub struct Connection {
    stream: Box<dyn ByteStream>,
    // The part of the preface that the HTTP/2 server has not yet read.
    unread: &'static [u8],
    _place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<Stream: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for Stream {}

/// Accepts gRPC connections for ever and hands those that speak HTTP/2 to `connections`.
///
/// # Cancel safety
///
/// Dropping the future ends the handshakes under way.
pub async fn accept_grpc(
    door: Door,
    tls: Option<TlsAcceptor>,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    let mut handshakes = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            accepted = door.next() => accepted,
            Some(_) = handshakes.join_next(), if !handshakes.is_empty() => continue,
        };
        let tls = tls.clone();
        let connections = connections.clone();
        handshakes.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_DEADLINE, shake_hands(stream, tls, place)).await {
                // The server is gone when this fails, and with it the need for connections.
                Ok(Ok(connection)) => drop(connections.send(Ok(connection)).await),
                Ok(Err(error)) => tracing::debug!(%error, "a connection failed its handshake"),
                Err(_) => tracing::debug!("a connection did not finish its handshake in time"),
            }
        });
    }
}

async fn shake_hands(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    place: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let mut stream: Box<dyn ByteStream> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await?),
        None => Box::new(stream),
    };
    let mut preface = [0; HTTP2_PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    if preface != HTTP2_PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
    }
    Ok(Connection {
        stream,
        unread: &HTTP2_PREFACE,
        _place: place,
    })
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let (now, later) = self
            .unread
            .split_at(self.unread.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.unread = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

// RFC 9113, section 3.4.
const HTTP2_PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(20);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);
