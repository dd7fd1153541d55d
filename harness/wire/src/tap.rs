//! The stream of Envoy's tap: pretty-printed JSON objects one after another, each a segment of what one connection's socket did.
//!
//! `POST /tap` with `JSON_BODY_AS_BYTES` and `streaming`. An object ends with the first line that is `}` alone: within one, lines are indented and
//! line ends in strings are escaped.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use memchr::memchr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

/// How long an object may be, in bytes.
pub(crate) const OBJECT_BYTES: usize = 16 * 1024 * 1024;

/// How much of the object's buffer stays for the next one, in bytes.
const BUFFER_KEPT: usize = 1024 * 1024;

/// The line that ends an object.
const LAST_LINE: &[u8] = b"}";

/// Why a part of the stream is not a segment.
#[derive(Debug, Error)]
pub(crate) enum TapError {
    /// The object is longer than is kept.
    #[error("an object of the tap is longer than {OBJECT_BYTES} bytes")]
    TooLong,
    /// It is not a segment.
    #[error("an object of the tap is no segment of a socket's trace: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The name of the connection is not a number.
    #[error("an object of the tap has the trace {0:?}, which is not a number")]
    Trace(String),
    /// The stream ended within an object.
    #[error("the tap ended within an object")]
    Unfinished,
}

/// What one object says of a connection.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Envoy's number of the connection.
    pub(crate) connection: u64,
    /// What the socket did, in order; none when the object only introduces the connection.
    pub(crate) events: Vec<SocketEvent>,
}

/// What a socket did.
#[derive(Debug)]
pub(crate) struct SocketEvent {
    pub(crate) at: Timestamp,
    /// One more than the bytes of the connection before this event, both directions together, and one more still for its close; none where
    /// Envoy does not number events.
    pub(crate) sequence: Option<u64>,
    pub(crate) action: Action,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Action {
    /// The proxy sent bytes to the agent.
    Write(Bytes),
    /// The proxy received bytes from the agent.
    Read(Bytes),
    /// The connection was closed.
    Closed,
    /// An event of a kind that this reader does not know.
    Unknown,
}

/// The bytes of an event.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// All of them.
    Whole(Vec<u8>),
    /// Envoy left some out.
    Truncated,
    /// They are not base64.
    Malformed,
}

/// Cuts the stream into objects and reads them.
#[derive(Debug, Default)]
pub(crate) struct TapReader {
    object: Vec<u8>,
    line_start: usize,
    excess: Excess,
}

/// Whether the object is too long and is skipped to its end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Excess {
    #[default]
    None,
    Skipping,
}

impl TapReader {
    /// Takes from `input` up to the end of the next object; none when more input is needed.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Result<Segment, TapError>> {
        while !input.is_empty() {
            let line_end = memchr(b'\n', input);
            let (piece, rest) = input.split_at(line_end.map_or(input.len(), |end| end + 1));
            *input = rest;
            self.keep(piece);
            line_end?;
            let line = &self.object[self.line_start..];
            if line.strip_suffix(b"\n") != Some(LAST_LINE) {
                self.end_line();
                continue;
            }
            let excess = std::mem::take(&mut self.excess);
            let segment = match excess {
                Excess::None => read_segment(&self.object),
                Excess::Skipping => Err(TapError::TooLong),
            };
            self.object.clear();
            self.object.shrink_to(BUFFER_KEPT);
            self.line_start = 0;
            return Some(segment);
        }
        None
    }

    /// Says what the stream ended within, if anything.
    pub(crate) fn finish(&mut self) -> Option<TapError> {
        let blank = self.object.trim_ascii().is_empty() && self.excess == Excess::None;
        *self = Self::default();
        (!blank).then_some(TapError::Unfinished)
    }

    /// Keeps a piece of a line; of an object that is too long only so much of each line as shows whether it is the last.
    fn keep(&mut self, piece: &[u8]) {
        if self.object.len() + piece.len() > OBJECT_BYTES {
            self.excess = Excess::Skipping;
        }
        match self.excess {
            Excess::None => self.object.extend_from_slice(piece),
            Excess::Skipping => {
                self.object.drain(..self.line_start);
                self.line_start = 0;
                self.object.truncate(LAST_LINE.len() + 1);
                let room = LAST_LINE.len() + 1 - self.object.len();
                // Whether the line goes on past its first bytes must show, so its end may be what is left out.
                self.object
                    .extend_from_slice(&piece[..piece.len().min(room)]);
            }
        }
    }

    fn end_line(&mut self) {
        match self.excess {
            Excess::None => self.line_start = self.object.len(),
            Excess::Skipping => self.object.clear(),
        }
    }
}

fn read_segment(object: &[u8]) -> Result<Segment, TapError> {
    let Object {
        socket_streamed_trace_segment: segment,
    } = serde_json::from_slice(object)?;
    let connection = segment.trace_id.parse();
    let connection = connection.map_err(|_| TapError::Trace(segment.trace_id.into_owned()))?;
    let batch = segment.events.map(|batch| batch.events);
    let events = segment.event.into_iter().chain(batch.unwrap_or_default());
    Ok(Segment {
        connection,
        events: events.map(SocketEvent::from).collect(),
    })
}

/// One object of the stream (`envoy.data.tap.v3.TraceWrapper`).
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    socket_streamed_trace_segment: TraceSegment<'a>,
}

#[derive(Deserialize)]
struct TraceSegment<'a> {
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Option<Event<'a>>,
    #[serde(borrow, default)]
    events: Option<EventBatch<'a>>,
}

#[derive(Deserialize)]
struct EventBatch<'a> {
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    timestamp: Timestamp,
    #[serde(borrow, default)]
    write: Option<Transfer<'a>>,
    #[serde(borrow, default)]
    read: Option<Transfer<'a>>,
    #[serde(default)]
    closed: Option<IgnoredAny>,
    #[serde(borrow, default)]
    seq_num: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Transfer<'a> {
    #[serde(borrow, default)]
    data: Body<'a>,
}

#[derive(Default, Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    as_bytes: Cow<'a, str>,
    #[serde(default)]
    truncated: bool,
}

impl From<Event<'_>> for SocketEvent {
    fn from(event: Event<'_>) -> Self {
        let action = match (event.write, event.read, event.closed) {
            (Some(write), None, None) => Action::Write(write.bytes()),
            (None, Some(read), None) => Action::Read(read.bytes()),
            (None, None, Some(IgnoredAny)) => Action::Closed,
            _ => Action::Unknown,
        };
        Self {
            at: event.timestamp,
            sequence: event.seq_num.parse().ok().filter(|number| *number > 0),
            action,
        }
    }
}

impl Transfer<'_> {
    fn bytes(&self) -> Bytes {
        if self.data.truncated {
            return Bytes::Truncated;
        }
        match STANDARD.decode(self.data.as_bytes.as_bytes()) {
            Ok(bytes) => Bytes::Whole(bytes),
            Err(_) => Bytes::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{
 "socket_streamed_trace_segment": {
  "trace_id": "3",
  "event": {
   "timestamp": "2026-12-01T02:30:15.096347Z",
   "read": {
    "data": {
     "as_bytes": "YQ==",
     "truncated": false
    }
   },
   "seq_num": "679"
  }
 }
}
"#;

    fn segments(stream: &[u8]) -> Vec<Result<Segment, TapError>> {
        let mut reader = TapReader::default();
        let mut input = stream;
        std::iter::from_fn(|| reader.next(&mut input)).collect()
    }

    fn only_event(object: &str) -> SocketEvent {
        let mut segments = segments(object.as_bytes());
        assert_eq!(segments.len(), 1);
        let mut segment = segments.remove(0).unwrap();
        assert_eq!(segment.connection, 3);
        assert_eq!(segment.events.len(), 1);
        segment.events.remove(0)
    }

    #[test]
    fn an_event_is_read() {
        let event = only_event(EVENT);
        assert_eq!(event.at.to_string(), "2026-12-01T02:30:15.096347Z");
        assert_eq!(event.sequence, Some(679));
        assert!(matches!(event.action, Action::Read(Bytes::Whole(bytes)) if bytes == b"a"));
    }

    #[test]
    fn bytes_that_are_not_all_there_are_said() {
        let truncated = only_event(&EVENT.replace("false", "true"));
        assert!(matches!(truncated.action, Action::Read(Bytes::Truncated)));
        let malformed = only_event(&EVENT.replace("YQ==", "Y!=="));
        assert!(matches!(malformed.action, Action::Read(Bytes::Malformed)));
        let unknown = only_event(&EVENT.replace("read", "tickled"));
        assert!(matches!(unknown.action, Action::Unknown));
    }

    #[test]
    fn what_is_no_segment_is_refused_alone() {
        let other = EVENT.replace("socket_streamed", "http_streamed");
        let unnamed = EVENT.replace("\"3\"", "\"x\"");
        let stream = [&other, "}\n", &unnamed, EVENT].concat();
        let segments = segments(stream.as_bytes());
        assert!(matches!(segments[0], Err(TapError::Malformed(_))));
        assert!(matches!(segments[1], Err(TapError::Malformed(_))));
        assert!(matches!(&segments[2], Err(TapError::Trace(name)) if name == "x"));
        assert!(segments[3].is_ok());
        assert_eq!(segments.len(), 4);
    }

    #[test]
    fn an_object_that_is_too_long_is_passed_over_in_bounded_memory() {
        let mut reader = TapReader::default();
        let line = [&[b'}'; 1024], &b"\n"[..]].concat();
        let mut found = Vec::new();
        let last = [b"}\n", EVENT.as_bytes()].concat();
        for piece in std::iter::repeat_n(&line, OBJECT_BYTES / 1024 + 1).chain([&last]) {
            let mut input = &piece[..];
            while let Some(segment) = reader.next(&mut input) {
                found.push(segment);
            }
            assert!(reader.object.capacity() <= 2 * OBJECT_BYTES);
        }
        assert!(matches!(found[0], Err(TapError::TooLong)));
        assert!(found[1].is_ok());
        assert_eq!(found.len(), 2);
        assert!(reader.object.capacity() <= BUFFER_KEPT);
    }

    #[test]
    fn the_end_within_an_object_is_said() {
        let mut reader = TapReader::default();
        assert!(reader.next(&mut &b"\n"[..]).is_none());
        assert!(reader.finish().is_none());
        assert!(reader.next(&mut &b"{\n"[..]).is_none());
        assert!(matches!(reader.finish(), Some(TapError::Unfinished)));
    }
}
