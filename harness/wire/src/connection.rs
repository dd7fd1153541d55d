//! One connection between proxy and agent: its streams by method, requests and answers matched.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use thiserror::Error;

use crate::access_log::AccessLog;
use crate::exchange::{Exchange, Step};
use crate::frames::{Content, Frame, FrameError, FrameReader, StreamEnd};
use crate::headers::{HeaderBlock, HeaderError, HeaderReader};
use crate::losses::Losses;
use crate::record::WireRecord;
use crate::tap::{Action, Bytes, SocketEvent};

/// How many streams of a connection may be open at once.
pub(crate) const OPEN_STREAMS: usize = 65_536;

/// How many checks that the proxy gave up are kept for a late answer.
pub(crate) const GIVEN_UP_KEPT: usize = 1024;

const CHECK: &[u8] = b"/envoy.service.auth.v3.Authorization/Check";
const ACCESS_LOGS: &[u8] = b"/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// Why a connection cannot be read any more.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(crate) enum ConnectionError {
    /// It was there before the tap.
    #[error("its first bytes were not seen")]
    FirstBytesUnseen,
    /// The tap has a gap.
    #[error("the tap has event {seen} where {expected} was due")]
    Gap { seen: u64, expected: u64 },
    /// Envoy left bytes of an event out.
    #[error("the tap left bytes of an event out")]
    Truncated,
    /// The bytes of an event are not base64.
    #[error("the bytes of an event are not base64")]
    Malformed,
    /// An event is none that is known.
    #[error("an event is of no known kind")]
    UnknownEvent,
    /// The bytes are not HTTP/2 frames.
    #[error("{side}: {error}")]
    Frame { side: Side, error: FrameError },
    /// The header blocks cannot be read.
    #[error("{side}: {error}")]
    Header { side: Side, error: HeaderError },
    /// Too many streams are open.
    #[error("more than {OPEN_STREAMS} of its streams are open")]
    Streams,
}

/// Who sent bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Proxy,
    Agent,
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Proxy => "from the proxy",
            Self::Agent => "from the agent",
        })
    }
}

/// What the connections yield.
#[derive(Debug, Default)]
pub(crate) struct Yield {
    pub(crate) records: Vec<WireRecord>,
    pub(crate) losses: Losses,
    pub(crate) response_data: u64,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    Open,
    Closed,
}

impl Life {
    /// Returns whether a connection goes on after an event.
    pub(crate) const fn of(event: &SocketEvent) -> Self {
        match event.action {
            Action::Closed => Self::Closed,
            Action::Write(_) | Action::Read(_) | Action::Unknown => Self::Open,
        }
    }
}

/// A connection that is read.
#[derive(Debug)]
pub(crate) struct Connection {
    name: u64,
    /// The sequence number that the next event has.
    expected: u64,
    proxy: Direction,
    agent: Direction,
    streams: BTreeMap<u32, Stream>,
    last_stream: u32,
    given_up: VecDeque<u32>,
    /// What the streams keep in memory.
    held: usize,
}

#[derive(Debug)]
struct Direction {
    frames: FrameReader,
    headers: HeaderReader,
}

#[derive(Debug)]
enum Stream {
    Check(Box<Exchange>),
    AccessLog(AccessLog),
    Other,
}

impl Stream {
    fn of(path: &[u8]) -> Self {
        match path {
            CHECK => Self::Check(Box::default()),
            ACCESS_LOGS => Self::AccessLog(AccessLog::default()),
            _ => Self::Other,
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Check(exchange) => exchange.held(),
            Self::AccessLog(log) => log.held(),
            Self::Other => 0,
        }
    }
}

impl Connection {
    pub(crate) fn new(name: u64) -> Self {
        Self {
            name,
            expected: 1,
            proxy: Direction {
                frames: FrameReader::of_client(),
                headers: HeaderReader::default(),
            },
            agent: Direction {
                frames: FrameReader::of_server(),
                headers: HeaderReader::default(),
            },
            streams: BTreeMap::new(),
            last_stream: 0,
            given_up: VecDeque::new(),
            held: 0,
        }
    }

    /// Returns roughly how many bytes the connection keeps in memory, without its tables.
    pub(crate) fn held(&self) -> usize {
        self.held + self.proxy.held() + self.agent.held()
    }

    /// Takes what the socket did.
    pub(crate) fn take(
        &mut self,
        event: &SocketEvent,
        output: &mut Yield,
    ) -> Result<Life, ConnectionError> {
        self.check_sequence(event)?;
        let (side, bytes) = match &event.action {
            Action::Write(bytes) => (Side::Proxy, bytes),
            Action::Read(bytes) => (Side::Agent, bytes),
            Action::Closed => {
                self.close(output);
                return Ok(Life::Closed);
            }
            Action::Unknown => return Err(ConnectionError::UnknownEvent),
        };
        match bytes {
            Bytes::Whole(bytes) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.expected = self.expected.saturating_add(length);
                self.transfer(side, bytes, event.at, output)?;
                Ok(Life::Open)
            }
            Bytes::Truncated => Err(ConnectionError::Truncated),
            Bytes::Malformed => Err(ConnectionError::Malformed),
        }
    }

    /// Ends the connection: checks that are open have no answer.
    pub(crate) fn close(&mut self, output: &mut Yield) {
        for (stream, state) in std::mem::take(&mut self.streams) {
            if let Stream::Check(exchange) = state {
                if !exchange.is_asked() {
                    let reason = "the connection ended before its check was whole";
                    output.losses.add(self.sentence(stream, reason));
                }
                output.records.extend(exchange.close());
            }
        }
        self.held = 0;
    }

    /// Returns how many checks wait for an answer.
    pub(crate) fn open_checks(&self) -> usize {
        let streams = self.streams.values();
        let checks = streams.filter(|stream| match stream {
            Stream::Check(exchange) => exchange.is_awaited(),
            Stream::AccessLog(_) | Stream::Other => false,
        });
        checks.count()
    }

    /// Envoy numbers an event by the bytes before it, and the close one higher.
    fn check_sequence(&self, event: &SocketEvent) -> Result<(), ConnectionError> {
        let expected = self.expected;
        match (event.sequence, &event.action) {
            (None, _) => Ok(()),
            (Some(seen), _) if seen == expected => Ok(()),
            (Some(seen), Action::Closed) if seen == expected.saturating_add(1) => Ok(()),
            (Some(_), _) if expected == 1 => Err(ConnectionError::FirstBytesUnseen),
            (Some(seen), _) => Err(ConnectionError::Gap { seen, expected }),
        }
    }

    fn transfer(
        &mut self,
        side: Side,
        mut bytes: &[u8],
        at: Timestamp,
        output: &mut Yield,
    ) -> Result<(), ConnectionError> {
        loop {
            let (sender, receiver) = match side {
                Side::Proxy => (&mut self.proxy, &mut self.agent),
                Side::Agent => (&mut self.agent, &mut self.proxy),
            };
            let frame = sender.frames.next(&mut bytes);
            let frame = frame.map_err(|error| ConnectionError::Frame { side, error })?;
            let Some(frame) = frame else { return Ok(()) };
            let header_error = |error| ConnectionError::Header { side, error };
            let block = sender.headers.take(&frame).map_err(header_error)?;
            if let Content::Settings(pairs) = &frame.content {
                // They bound what the other side's encoder may use.
                receiver.headers.settings(pairs).map_err(header_error)?;
            }
            match block {
                Some(block) => self.block(side, &block, at, output)?,
                None => self.frame(side, &frame, at, output),
            }
        }
    }

    fn block(
        &mut self,
        side: Side,
        block: &HeaderBlock,
        at: Timestamp,
        output: &mut Yield,
    ) -> Result<(), ConnectionError> {
        // Only the proxy opens streams, with numbers that rise.
        if side == Side::Proxy && block.stream > self.last_stream {
            if self.streams.len() >= OPEN_STREAMS {
                return Err(ConnectionError::Streams);
            }
            self.last_stream = block.stream;
            self.streams
                .insert(block.stream, Stream::of(&block.fields.path));
        }
        self.step(
            block.stream,
            block.end,
            side,
            output,
            |exchange| match side {
                Side::Proxy => exchange.request_end(block.end),
                Side::Agent => exchange.answer_headers(at, &block.fields, block.end),
            },
        );
        Ok(())
    }

    fn frame(&mut self, side: Side, frame: &Frame<'_>, at: Timestamp, output: &mut Yield) {
        let stream = frame.stream;
        match &frame.content {
            Content::Data(data) => {
                let name = self.name;
                if side == Side::Proxy
                    && let Some(Stream::AccessLog(log)) = self.streams.get_mut(&stream)
                {
                    let before = log.held();
                    let losses = &mut output.losses;
                    let lose = |reason: String| losses.add(sentence(name, stream, &reason));
                    output.response_data += log.data(data, lose);
                    self.held = (self.held + log.held()).saturating_sub(before);
                }
                self.step(stream, frame.end, side, output, |exchange| match side {
                    Side::Proxy => exchange.request_data(at, data, frame.end),
                    Side::Agent => exchange.answer_data(at, data, frame.end),
                });
            }
            Content::Reset => self.reset(side, stream, output),
            Content::Headers(..)
            | Content::Continuation(..)
            | Content::Settings(_)
            | Content::PushPromise
            | Content::Other => {}
        }
    }

    /// Lets a stream go one step on; it is forgotten when its check is over or the agent has said all.
    fn step(
        &mut self,
        stream: u32,
        end: StreamEnd,
        side: Side,
        output: &mut Yield,
        step: impl FnOnce(&mut Exchange) -> Step,
    ) {
        let Some(state) = self.streams.get_mut(&stream) else {
            return;
        };
        let Stream::Check(exchange) = state else {
            if (side, end) == (Side::Agent, StreamEnd::Ended) {
                self.forget(stream);
            }
            return;
        };
        let before = exchange.held();
        let step = step(exchange);
        self.held = (self.held + exchange.held()).saturating_sub(before);
        match step {
            Step::Goes => {}
            Step::Answered(record) => {
                output.records.push(*record);
                self.forget(stream);
            }
            Step::Lost(reason) => {
                output.losses.add(self.sentence(stream, &reason));
                self.forget(stream);
            }
        }
    }

    fn reset(&mut self, side: Side, stream: u32, output: &mut Yield) {
        match (self.streams.get_mut(&stream), side) {
            (Some(Stream::Check(exchange)), _) if !exchange.is_asked() => {
                let reason = "a check was reset before its request was whole";
                output.losses.add(self.sentence(stream, reason));
                self.forget(stream);
            }
            (Some(Stream::Check(exchange)), Side::Proxy) => {
                if let Some(record) = exchange.give_up() {
                    output.records.push(record);
                    self.keep_given_up(stream);
                }
            }
            (Some(Stream::Check(exchange)), Side::Agent) => {
                output.records.extend(exchange.give_up());
                self.forget(stream);
            }
            (Some(Stream::AccessLog(_) | Stream::Other), _) => self.forget(stream),
            (None, _) => {}
        }
    }

    /// Keeps a check for a late answer, and forgets the oldest of too many.
    fn keep_given_up(&mut self, stream: u32) {
        self.given_up.push_back(stream);
        if self.given_up.len() > GIVEN_UP_KEPT
            && let Some(oldest) = self.given_up.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, stream: u32) {
        if let Some(state) = self.streams.remove(&stream) {
            self.held = self.held.saturating_sub(state.held());
        }
    }

    fn sentence(&self, stream: u32, reason: &str) -> String {
        sentence(self.name, stream, reason)
    }
}

fn sentence(connection: u64, stream: u32, reason: &str) -> String {
    format!("connection {connection}, stream {stream}: {reason}")
}

impl Direction {
    fn held(&self) -> usize {
        self.frames.held() + self.headers.held()
    }
}
