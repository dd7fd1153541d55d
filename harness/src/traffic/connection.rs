//! One request over one connection: connect, send, read, and say how far it came when it fails.

use std::fmt::Display;
use std::io;
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Instant, timeout_at};

use crate::traffic::escape::escape_bounded;
use crate::traffic::record::{ClientFailure, ClientResult, FailureCause, RequestPhase};
use crate::traffic::request_bytes::RequestBytes;
use crate::traffic::response::{Answer, Progress, ResponseParser};
use crate::traffic::response_head::ConnectionReuse;

/// The most bytes of an answer's body.
pub(crate) const BODY_LIMIT: u64 = 64 * 1024 * 1024;
/// The most characters of a failure's detail.
const DETAIL_LIMIT: usize = 256;
/// The space that is made before each read.
const READ_SIZE: usize = 16 * 1024;

/// What became of one request.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// When the first byte was given to the kernel.
    pub(crate) sent_at: Option<Instant>,
    /// What came back.
    pub(crate) result: ClientResult,
    /// The connection, where it can take another request.
    pub(crate) connection: Option<TcpStream>,
}

/// Opens a connection, as for [`exchange`].
///
/// # Errors
///
/// What the record of a request without a connection says.
pub(crate) async fn connect(address: &str, deadline: Instant) -> Result<TcpStream, ClientFailure> {
    let failed = |cause, detail: &dyn Display| failure(RequestPhase::Connect, cause, detail);
    match timeout_at(deadline, TcpStream::connect(address)).await {
        Err(_) => Err(failed(FailureCause::TimedOut, &"no connection in time")),
        Ok(Err(error)) => Err(failed(cause_of(&error), &error)),
        Ok(Ok(stream)) => {
            // A socket that refuses the option is dead already, which the first write says.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
}

/// Tells whether the other side has closed an idle connection, or sent something on it unasked.
pub(crate) fn is_stale(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    // The socket is asked itself: the runtime's own readiness can lag behind a close.
    recv(stream.as_raw_fd(), &mut byte, flags) != Err(Errno::EAGAIN)
}

/// Sends a request on a connection and reads its answer, until `deadline`.
pub(crate) async fn exchange(
    mut stream: TcpStream,
    request: &RequestBytes,
    deadline: Instant,
) -> Exchange {
    let mut progress = ExchangeProgress {
        bytes: &request.bytes,
        sent: 0,
        sent_at: None,
        send_error: None,
        parser: ResponseParser::new(request.answer_body, BODY_LIMIT),
    };
    let (mut reader, mut writer) = stream.split();
    let ended = timeout_at(deadline, progress.run(&mut reader, &mut writer)).await;
    let is_sent = progress.is_sent();
    let sent_at = progress.sent_at;
    let failed = match ended {
        Ok(Ok(End::Complete { surplus })) => {
            let answer = progress
                .parser
                .into_answer()
                .expect("the parser has said that the answer is complete");
            return completed(answer, surplus, is_sent, sent_at, stream);
        }
        Ok(Err(failed)) => failed,
        Err(_) => progress.failure(FailureCause::TimedOut, &progress.parser.describe_progress()),
    };
    Exchange {
        sent_at,
        result: ClientResult::Failed(failed),
        connection: None,
    }
}

fn completed(
    answer: Answer,
    surplus: usize,
    is_sent: bool,
    sent_at: Option<Instant>,
    stream: TcpStream,
) -> Exchange {
    // Bytes that nobody asked for, or a request that was cut short, would spoil the next exchange.
    let is_clean = surplus == 0 && is_sent;
    let connection = match answer.reuse {
        ConnectionReuse::Possible if is_clean => Some(stream),
        ConnectionReuse::Possible | ConnectionReuse::Impossible => None,
    };
    Exchange {
        sent_at,
        result: ClientResult::Response(answer.record),
        connection,
    }
}

/// How far an exchange has come. It outlives the future that a time-out cuts off.
struct ExchangeProgress<'a> {
    bytes: &'a [u8],
    sent: usize,
    sent_at: Option<Instant>,
    send_error: Option<io::Error>,
    parser: ResponseParser,
}

/// How an exchange ended well.
enum End {
    Complete { surplus: usize },
}

impl ExchangeProgress<'_> {
    /// Sends and reads at the same time: a server may answer, and stop reading, before it has the
    /// whole request.
    async fn run(
        &mut self,
        reader: &mut ReadHalf<'_>,
        writer: &mut WriteHalf<'_>,
    ) -> Result<End, ClientFailure> {
        let mut input = Vec::with_capacity(READ_SIZE);
        loop {
            input.clear();
            let is_sending = self.is_sending();
            let before_write = Instant::now();
            tokio::select! {
                biased;
                written = writer.write(&self.bytes[self.sent..]), if is_sending => {
                    self.note_written(written, before_write);
                }
                read = reader.read_buf(&mut input) => {
                    if let Some(end) = self.note_read(read, &input)? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    fn note_written(&mut self, written: io::Result<usize>, before_write: Instant) {
        match written {
            Ok(count) => {
                self.sent += count;
                self.sent_at.get_or_insert(before_write);
            }
            // An answer may have come before the other side stopped reading, so reading goes on.
            Err(error) => self.send_error = Some(error),
        }
    }

    fn note_read(
        &mut self,
        read: io::Result<usize>,
        input: &[u8],
    ) -> Result<Option<End>, ClientFailure> {
        match read {
            Ok(0) if self.parser.is_complete_at_close() => Ok(Some(End::Complete { surplus: 0 })),
            Ok(0) => Err(self.failure(
                FailureCause::Closed,
                &format!("closed {}", self.parser.describe_progress()),
            )),
            Ok(_) => match self.parser.read(input) {
                Ok(Progress::Complete { surplus }) => Ok(Some(End::Complete { surplus })),
                Ok(Progress::Incomplete) => Ok(None),
                // Whatever was still to be sent, what is wrong is the answer.
                Err(error) => Err(failure(error.phase(), FailureCause::Malformed, &error)),
            },
            Err(error) => Err(self.failure(cause_of(&error), &error)),
        }
    }

    fn failure(&self, cause: FailureCause, detail: &dyn Display) -> ClientFailure {
        if let Some(error) = &self.send_error {
            return failure(RequestPhase::Send, cause_of(error), error);
        }
        let phase = if self.is_sending() {
            RequestPhase::Send
        } else {
            self.parser.phase()
        };
        failure(phase, cause, detail)
    }

    fn is_sending(&self) -> bool {
        !self.is_sent() && self.send_error.is_none()
    }

    fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }
}

fn failure(phase: RequestPhase, cause: FailureCause, detail: &dyn Display) -> ClientFailure {
    ClientFailure {
        phase,
        cause,
        detail: escape_bounded(detail.to_string().as_bytes(), DETAIL_LIMIT),
    }
}

fn cause_of(error: &io::Error) -> FailureCause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureCause::Refused,
        // A broken pipe is a write after the other side's reset.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => FailureCause::Reset,
        io::ErrorKind::UnexpectedEof => FailureCause::Closed,
        _ => FailureCause::Other,
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
