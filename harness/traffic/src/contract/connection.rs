//! One HTTP/2 connection to a gRPC server: opened, counted, and closed with its last user.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use http::uri::Scheme;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error_chain::error_chain;
use crate::escape::escape_bounded;
use crate::failure::DETAIL_LIMIT;
use crate::transport::Destination;

/// The bytes of answers that may be under way on a stream.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The bytes of answers that may be under way on a connection.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// The most bytes of the header fields of an answer.
const HEAD_LIMIT: u32 = 64 * 1024;

/// A connection on which calls can be made.
#[derive(Debug)]
pub(super) struct GrpcConnection {
    pub(super) requests: SendRequest<Bytes>,
    pub(super) scheme: Scheme,
    pub(super) usage: Arc<Usage>,
    ping: PingPong,
    task: JoinHandle<()>,
}

/// What the calls of a connection have in common.
#[derive(Debug, Default)]
pub(super) struct Usage {
    answered: AtomicBool,
    open: AtomicU64,
}

impl GrpcConnection {
    /// Opens the connection, and waits until the other side has shown that it speaks HTTP/2 and sent its settings.
    ///
    /// # Errors
    ///
    /// The reason, escaped and bounded.
    pub(super) async fn open(destination: &Destination, deadline: Instant) -> Result<Self, String> {
        let transport = destination
            .connect(deadline)
            .await
            .map_err(|failure| failure.detail)?;
        let scheme = transport.scheme();
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_LIMIT);
        let (requests, mut connection) = timeout_at(deadline, builder.handshake(transport))
            .await
            .map_err(|_| "no HTTP/2 in time".to_owned())?
            .map_err(|error| detail(&error))?;
        let ping = connection
            .ping_pong()
            .ok_or_else(|| "the connection has no ping".to_owned())?;
        let task = tokio::spawn(async move {
            // What ends the connection ends its calls, which say so.
            let _ = connection.await;
        });
        let mut opened = Self {
            requests,
            scheme,
            usage: Arc::default(),
            ping,
            task,
        };
        // The server's settings come before its answer: from then on its limit of streams is known.
        opened.await_echo(deadline).await?;
        Ok(opened)
    }

    /// Waits until the other side has read everything that was written to it so far.
    ///
    /// # Errors
    ///
    /// The reason why it is not known to have, escaped and bounded.
    pub(super) async fn await_echo(&mut self, deadline: Instant) -> Result<(), String> {
        timeout_at(deadline, self.ping.ping(Ping::opaque()))
            .await
            .map_err(|_| "no HTTP/2 in time".to_owned())?
            .map(drop)
            .map_err(|error| detail(&error))
    }

    /// Returns how many streams the server lets the connection have open; none without a limit.
    pub(super) fn stream_limit(&self) -> Option<u64> {
        let limit = self.requests.current_max_send_streams();
        // Without a limit the library counts to the end of its numbers.
        (limit < usize::try_from(u32::MAX).unwrap_or(usize::MAX)).then_some(limit as u64)
    }

    /// Returns whether the server's limit of open streams is reached.
    pub(super) fn is_full(&self) -> bool {
        self.stream_limit()
            .is_some_and(|limit| self.usage.open() >= limit)
    }
}

impl Drop for GrpcConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Usage {
    /// Notes that the server has answered something.
    pub(super) fn note_answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Returns whether the server has answered anything.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Notes that a call is open.
    pub(super) fn note_open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a call is not open any more.
    pub(super) fn note_closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns how many calls are open.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

/// Returns an error with its causes, escaped and bounded.
pub(super) fn detail(error: &dyn std::error::Error) -> String {
    escape_bounded(error_chain(error).as_bytes(), DETAIL_LIMIT)
}
