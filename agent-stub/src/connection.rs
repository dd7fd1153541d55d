//! Connections to the gRPC server: the handshake that each must finish in time, and what a call can do to its own.
//!
//! tonic's own acceptance has no handshake deadline (half a preface stays open for ever) and spins when descriptors run
//! out. So connections are accepted here and reach tonic once they have shown that they speak HTTP/2.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::listener::{Accept, Door};

/// A connection that has shown that it speaks HTTP/2.
pub struct Connection {
    stream: Box<dyn ByteStream>,
    // The part of the preface that the HTTP/2 server has not yet read.
    unread: &'static [u8],
    // The part of the farewell that is not yet written; none before one is wanted.
    farewell: Option<&'static [u8]>,
    control: ConnectionControl,
    // Ends when the connection is to be aborted.
    aborted: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: OwnedSemaphorePermit,
}

/// What a call can do to the connection that it came by.
#[derive(Clone, Debug)]
pub struct ConnectionControl(Arc<watch::Sender<Wish>>);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Wish {
    Nothing,
    GoAway,
    Reset,
}

impl ConnectionControl {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Wish::Nothing)))
    }

    /// Asks the peer to open no further streams. Those that are open are finished; then the peer closes the connection.
    pub fn go_away(&self) {
        self.wish(Wish::GoAway);
    }

    /// Aborts the connection, and every stream with it.
    pub fn reset(&self) {
        self.wish(Wish::Reset);
    }

    // A wish may grow and not shrink.
    fn wish(&self, wish: Wish) {
        self.0.send_modify(|current| *current = wish.max(*current));
    }

    fn is_going_away(&self) -> bool {
        *self.0.borrow() == Wish::GoAway
    }

    fn aborted(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut wishes = self.0.subscribe();
        async move {
            if wishes.wait_for(|wish| *wish == Wish::Reset).await.is_err() {
                // No sender is left that could wish for it.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// A stream of bytes that can be made to end with a reset in place of an orderly close.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes closing a reset, where the transport has one.
    fn reset_on_close(&self);
}

impl ByteStream for TcpStream {
    fn reset_on_close(&self) {
        if let Err(error) = self.set_zero_linger() {
            tracing::debug!(%error, "a connection will be closed and not reset");
        }
    }
}

impl ByteStream for UnixStream {
    fn reset_on_close(&self) {}
}

impl<Stream: ByteStream> ByteStream for TlsStream<Stream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

/// Accepts gRPC connections for ever and hands those that speak HTTP/2 to `connections`.
///
/// # Cancel safety
///
/// Dropping the future ends the handshakes under way.
pub async fn accept_grpc<Listener>(
    door: Door<Listener>,
    tls: Option<TlsAcceptor>,
    connections: mpsc::Sender<io::Result<Connection>>,
) where
    Listener: Accept<Accepted: ByteStream + 'static>,
{
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
    stream: impl ByteStream + 'static,
    tls: Option<TlsAcceptor>,
    place: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    let mut stream: Box<dyn ByteStream> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await?),
        None => Box::new(stream),
    };
    let mut preface = [0; HTTP2_PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    if preface != HTTP2_PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
    }
    let control = ConnectionControl::new();
    Ok(Connection {
        stream,
        unread: &HTTP2_PREFACE,
        farewell: None,
        aborted: Box::pin(control.aborted()),
        control,
        _place: place,
    })
}

impl Connection {
    // Once begun, the farewell is written to its end before anything else is.
    fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.farewell.filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.farewell = Some(&rest[written..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A server waits for bytes at all times, so this wakes it whatever else it does.
        if self.aborted.as_mut().poll(context).is_ready() {
            self.stream.reset_on_close();
            // The future must not be polled again.
            self.aborted = Box::pin(std::future::ready(()));
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
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
        ready!(self.poll_farewell(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    // The server has handed over whole frames when it flushes, so one of ours may follow. It writes that frame itself only when
    // it stops as a whole.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.farewell.is_none() && self.control.is_going_away() {
            self.farewell = Some(&GO_AWAY);
        }
        ready!(self.poll_farewell(context))?;
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
        ready!(self.poll_farewell(context))?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectionControl;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.control.clone()
    }
}

// RFC 9113, section 3.4.
const HTTP2_PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
// RFC 9113, section 6.8: no error, and a last stream that lets every stream under way be finished.
const GO_AWAY: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0,
];
