//! A connection as bytes, with or without TLS: how it is opened, and whether it is still of use.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use crate::escape::escape;
use crate::failure::{cause_of, failure};
use crate::record::{ClientFailure, FailureCause, RequestPhase};
use crate::tls::TlsClient;

/// Where a stream's connections go.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// `host:port`.
    pub(crate) address: String,
    /// Who finds out where the address leads.
    pub(crate) translation: Translation,
    /// How connections are secured; none means cleartext.
    pub(crate) tls: Option<TlsClient>,
}

/// Who finds out where an address leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Translation {
    /// The driver: what listens there writes the address to connect to.
    ByDriver,
    /// The node, unseen.
    ByNode,
}

/// The longest address that is read, in bytes: one of IPv6 with its port has at most 47.
const LONGEST_ADDRESS: u64 = 64;

/// A connection as bytes.
#[derive(Debug)]
pub(crate) enum Transport {
    /// Cleartext.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Destination {
    /// Opens a connection until `deadline`.
    ///
    /// # Errors
    ///
    /// What the record of a request without a connection says.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<Transport, ClientFailure> {
        timeout_at(deadline, self.open())
            .await
            .map_err(|_| {
                let detail = "no connection in time";
                failure(RequestPhase::Connect, FailureCause::TimedOut, &detail)
            })?
            .map_err(|error| failure(RequestPhase::Connect, cause_of(&error), &error))
    }

    async fn open(&self) -> io::Result<Transport> {
        let stream = TcpStream::connect(&self.address).await?;
        let stream = match self.translation {
            Translation::ByDriver => TcpStream::connect(translated(stream).await?).await?,
            Translation::ByNode => stream,
        };
        // A socket that refuses the option is dead already, which the first write says.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Transport::Plain(stream)),
            Some(tls) => Ok(Transport::Tls(Box::new(tls.secure(stream).await?))),
        }
    }
}

/// Reads where a connection leads, as a Service that does not translate by itself writes it.
async fn translated(service: TcpStream) -> io::Result<SocketAddr> {
    let mut address = String::new();
    service
        .take(LONGEST_ADDRESS)
        .read_to_string(&mut address)
        .await?;
    address.parse().map_err(|_| {
        let detail = format!(
            "the Service answered with no address: {}",
            escape(address.as_bytes())
        );
        io::Error::new(io::ErrorKind::InvalidData, detail)
    })
}

impl Transport {
    /// Returns whether the other side has closed an idle connection, or sent something on it
    /// unasked.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        // The socket is asked itself: the runtime's own readiness can lag behind a close.
        recv(self.socket().as_raw_fd(), &mut byte, flags) != Err(Errno::EAGAIN)
    }

    /// Returns the scheme of what is spoken over it.
    pub(crate) fn scheme(&self) -> http::uri::Scheme {
        match self {
            Self::Plain(_) => http::uri::Scheme::HTTP,
            Self::Tls(_) => http::uri::Scheme::HTTPS,
        }
    }

    /// Returns the protocol that TLS has agreed on, escaped.
    pub(crate) fn negotiated_protocol(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol().map(escape),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
