//! One HTTP/1 request over one connection: send, read, and say how far it came when it fails.

use std::fmt::Display;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::failure::{cause_of, failure};
use crate::record::{ClientFailure, ClientResult, FailureCause, RequestPhase, UpgradeOutcome};
use crate::request_bytes::{RequestBytes, WebSocketRequest, WireForm};
use crate::response::{ParseProgress, ParsedAnswer, ResponseParser};
use crate::response_head::{ConnectionReuse, ResponseError};
use crate::send_schedule::SendSchedule;
use crate::surplus::Surplus;
use crate::transport::Transport;
use crate::upgrade::{converse, is_granted};

/// The most bytes of an answer's body.
pub(crate) const BODY_LIMIT: u64 = 64 * 1024 * 1024;
/// The space that is made before each read.
const READ_SIZE: usize = 16 * 1024;

/// What became of one request.
#[derive(Debug)]
pub(crate) struct Exchange<C> {
    /// When the first byte was given to the kernel.
    pub(crate) sent_at: Option<Instant>,
    /// When the first byte of the final answer came.
    pub(crate) first_byte_at: Option<Instant>,
    /// When the answer was complete, or the request failed.
    pub(crate) finished_at: Instant,
    /// What came back.
    pub(crate) result: ClientResult,
    /// The connection, where it can take another request.
    pub(crate) connection: Option<C>,
}

impl<C> Exchange<C> {
    /// Puts the connection into another type.
    pub(crate) fn map_connection<D>(self, convert: impl FnOnce(C) -> D) -> Exchange<D> {
        Exchange {
            sent_at: self.sent_at,
            first_byte_at: self.first_byte_at,
            finished_at: self.finished_at,
            result: self.result,
            connection: self.connection.map(convert),
        }
    }
}

/// Sends a request on a connection and reads its answer, until `deadline`.
pub(crate) async fn exchange(
    mut transport: Transport,
    request: &RequestBytes,
    deadline: Instant,
) -> Exchange<Transport> {
    let mut progress = ExchangeProgress {
        bytes: &request.bytes,
        schedule: SendSchedule::new(request),
        sent: 0,
        sent_at: None,
        send_error: None,
        flushing: Flushing::Done,
        parser: ResponseParser::new(request.answer_body, BODY_LIMIT),
        first_byte_at: None,
        body_pieces: 0,
    };
    let ended = timeout_at(deadline, progress.run(&mut transport)).await;
    let finished_at = Instant::now();
    let sent_at = progress.sent_at;
    let first_byte_at = progress.first_byte_at;
    let is_sent = progress.is_sent();
    let body_pieces = progress.body_pieces;
    let (result, connection) = match ended {
        Ok(Ok(surplus)) => {
            let mut answer = progress
                .parser
                .into_answer()
                .expect("the parser has said that the answer is complete");
            answer.record.body_pieces = body_pieces;
            answer.record.negotiated_protocol = transport.negotiated_protocol();
            let (answer, connection) =
                after_answer(transport, request, answer, surplus, is_sent, deadline).await;
            (ClientResult::Response(answer.record), connection)
        }
        Ok(Err(failed)) => (ClientResult::Failed(failed), None),
        Err(_) => {
            let detail = progress.parser.describe_progress();
            let failed = progress.failure(FailureCause::TimedOut, &detail);
            (ClientResult::Failed(failed), None)
        }
    };
    Exchange {
        sent_at,
        first_byte_at,
        finished_at,
        result,
        connection,
    }
}

/// Does what the request wants after its answer, and returns the connection if it is still clean.
async fn after_answer(
    mut transport: Transport,
    request: &RequestBytes,
    mut answer: ParsedAnswer,
    surplus: Vec<u8>,
    is_sent: bool,
    deadline: Instant,
) -> (ParsedAnswer, Option<Transport>) {
    if let Some(websocket) = &request.manner.websocket
        && answer.record.status == 101
    {
        let WebSocketRequest { handshake, message } = &**websocket;
        answer.record.upgraded = Some(if is_granted(handshake, &answer.record) {
            converse(&mut transport, message, &surplus, deadline).await
        } else {
            UpgradeOutcome::WrongAccept
        });
        return (answer, None);
    }
    let until = deadline.min(Instant::now() + request.manner.linger);
    let (surplus, is_open) = read_surplus(&mut transport, &surplus, until).await;
    answer.record.extra_bytes = surplus.bytes();
    answer.record.extra_responses = surplus.responses();
    // Unsolicited bytes, or a request that was cut short, would spoil the next exchange.
    let is_clean = surplus.bytes() == 0 && is_sent && is_open;
    let is_reusable = match (&request.manner.form, answer.reuse) {
        (WireForm::Http11, ConnectionReuse::Possible) => is_clean,
        (WireForm::Http10 | WireForm::Http11 | WireForm::Http2(_), _) => false,
    };
    (answer, is_reusable.then_some(transport))
}

/// Counts what has come after an answer, and what comes until an instant that may have passed.
/// Returns it with whether the connection is still open.
async fn read_surplus(transport: &mut Transport, first: &[u8], until: Instant) -> (Surplus, bool) {
    let mut surplus = Surplus::new();
    surplus.read(first);
    let mut input = Vec::with_capacity(READ_SIZE);
    while !surplus.is_full() && Instant::now() < until {
        input.clear();
        match timeout_at(until, transport.read_buf(&mut input)).await {
            Err(_) => break,
            Ok(Ok(0) | Err(_)) => {
                surplus.note_close();
                return (surplus, false);
            }
            Ok(Ok(_)) => surplus.read(&input),
        }
    }
    (surplus, true)
}

/// Moves bytes one step on: what was written before is flushed first.
async fn push(
    writer: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    flushing: Flushing,
) -> io::Result<usize> {
    match flushing {
        Flushing::Done => writer.write(bytes).await,
        Flushing::Due => writer.flush().await.map(|()| 0),
    }
}

/// How far an exchange has come. It outlives the future that a time-out cuts off.
struct ExchangeProgress<'a> {
    bytes: &'a [u8],
    schedule: SendSchedule,
    sent: usize,
    sent_at: Option<Instant>,
    send_error: Option<io::Error>,
    flushing: Flushing,
    parser: ResponseParser,
    first_byte_at: Option<Instant>,
    body_pieces: u32,
}

/// Whether what was written may still be held back by a layer below.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flushing {
    Done,
    Due,
}

impl ExchangeProgress<'_> {
    /// Sends and reads at the same time: a server may answer, and stop reading, before it has the
    /// whole request. Returns what came after the answer.
    async fn run(&mut self, transport: &mut Transport) -> Result<Vec<u8>, ClientFailure> {
        let (mut reader, mut writer) = split(transport);
        let mut input = Vec::with_capacity(READ_SIZE);
        loop {
            input.clear();
            let now = Instant::now();
            let allowed = self.schedule.allowed();
            let may_write = self.sent < allowed && self.send_error.is_none();
            let must_flush = self.flushing == Flushing::Due && self.send_error.is_none();
            let pause = self.schedule.pause_until();
            tokio::select! {
                biased;
                pushed = push(&mut writer, &self.bytes[self.sent..allowed], self.flushing),
                    if may_write || must_flush =>
                {
                    match self.flushing {
                        Flushing::Done => self.note_written(pushed, now),
                        Flushing::Due => self.note_flushed(pushed),
                    }
                }
                () = sleep_until(pause.unwrap_or(now)), if pause.is_some() => {
                    self.schedule.end_pause();
                }
                read = reader.read_buf(&mut input) => {
                    if let Some(surplus) = self.note_read(read, &input)? {
                        return Ok(surplus);
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
                self.flushing = Flushing::Due;
                self.schedule.note_sent(self.sent, Instant::now());
            }
            // An answer may have come before the other side stopped reading, so reading goes on.
            Err(error) => self.send_error = Some(error),
        }
    }

    fn note_flushed(&mut self, flushed: io::Result<usize>) {
        match flushed {
            Ok(_) => self.flushing = Flushing::Done,
            Err(error) => self.send_error = Some(error),
        }
    }

    fn note_read(
        &mut self,
        read: io::Result<usize>,
        input: &[u8],
    ) -> Result<Option<Vec<u8>>, ClientFailure> {
        match read {
            Ok(0) => match self.parser.note_close() {
                Ok(true) => Ok(Some(Vec::new())),
                Ok(false) => Err(self.failure(
                    FailureCause::Closed,
                    &format!("closed {}", self.parser.describe_progress()),
                )),
                Err(error) => Err(malformed(error)),
            },
            Ok(_) => self.parse(input),
            Err(error) => Err(self.failure(cause_of(&error), &error)),
        }
    }

    fn parse(&mut self, input: &[u8]) -> Result<Option<Vec<u8>>, ClientFailure> {
        let interim_before = self.parser.informational().len();
        let body_before = self.parser.body_length();
        // Whatever was still to be sent, what is wrong is the answer.
        let progress = self.parser.read(input).map_err(malformed)?;
        let interim = &self.parser.informational()[interim_before..];
        if !interim.is_empty() {
            // What came before belonged to an interim answer.
            self.first_byte_at = None;
        }
        if interim.contains(&100) {
            self.schedule.note_continue();
        }
        if self.parser.is_begun() {
            self.first_byte_at.get_or_insert_with(Instant::now);
        }
        if self.parser.body_length() > body_before {
            self.body_pieces = self.body_pieces.saturating_add(1);
        }
        Ok(match progress {
            ParseProgress::Complete { surplus } => Some(input[input.len() - surplus..].to_vec()),
            ParseProgress::Incomplete => None,
        })
    }

    fn failure(&self, cause: FailureCause, detail: &dyn Display) -> ClientFailure {
        if let Some(error) = &self.send_error {
            return failure(RequestPhase::Send, cause_of(error), error);
        }
        let phase = if self.is_sent() || self.schedule.is_held_back() {
            self.parser.phase()
        } else {
            RequestPhase::Send
        };
        failure(phase, cause, detail)
    }

    fn is_sent(&self) -> bool {
        self.sent == self.bytes.len()
    }
}

fn malformed(error: ResponseError) -> ClientFailure {
    failure(error.phase(), FailureCause::Malformed, &error)
}

#[cfg(test)]
#[path = "connection_manner_tests.rs"]
mod manner_tests;
#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
