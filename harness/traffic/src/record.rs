//! What the driver saw of each request: one JSON line each on its standard output.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contract::record::{CallRecord, GroupRecord};
pub use harness_core::model::expectation::UpgradeOutcome;

/// One line of the driver's output.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverLine {
    /// What became of one request.
    Request(Box<ClientRecord>),
    /// What became of one call.
    Call(Box<CallRecord>),
    /// How many calls of a group were under way.
    Group(GroupRecord),
    /// The last line: everything has been reported.
    Summary(DriverSummary),
    /// The plan could not be carried out at all; nothing was sent. The last line.
    Refused {
        /// Why.
        reason: String,
    },
}

/// The client's collected records about one request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientRecord {
    /// The request's id.
    pub id: String,
    /// The stream that it belongs to.
    pub stream: String,
    /// When it was due.
    #[schemars(with = "String")]
    pub intended_at: Timestamp,
    /// When its first byte was given to the kernel; none when no connection was had.
    #[schemars(with = "Option<String>")]
    pub sent_at: Option<Timestamp>,
    /// When its answer was complete, or it failed.
    #[schemars(with = "String")]
    pub finished_at: Timestamp,
    /// From the intended instant to the end, by the monotonic clock, in microseconds.
    pub elapsed_microseconds: u64,
    /// Whether anything was answered on its connection before the request was sent.
    #[serde(default)]
    pub connection: ConnectionAge,
    /// What came back.
    pub result: ClientResult,
}

/// Whether a connection has been answered on.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionAge {
    /// Nothing was, or there was no connection: what goes wrong on it may have gone wrong before the server has accepted it.
    New,
    /// Something was.
    #[default]
    Used,
}

/// What came back for one request.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientResult {
    /// A complete answer.
    Response(ResponseRecord),
    /// No complete answer.
    Failed(ClientFailure),
}

/// An answer, parsed as hostile input.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ResponseRecord {
    /// The status code.
    pub status: u16,
    /// Header fields in order (over HTTP/2, equal names stand together); bytes that are not
    /// printable ASCII are written `\xNN`, a backslash is doubled. Bounded to 256 fields and 64 KiB.
    pub headers: Vec<(String, String)>,
    /// Length of the body without its framing.
    pub body_length: u64,
    /// SHA-256 of the body, lower-case hex.
    pub body_sha256: String,
    /// The first 4 KiB of the body, in base64.
    pub body_head_base64: String,
    /// Trailer fields in order, escaped like the header fields. Bounded to 16 KiB in HTTP/1.1 and
    /// like the header fields in HTTP/2.
    #[serde(default)]
    pub trailers: Vec<(String, String)>,
    /// The interim (1xx) answers before this one, in order. Bounded to 16.
    #[serde(default)]
    pub informational: Vec<u16>,
    /// From the request's intended instant to the first byte of this answer, interim answers not
    /// counted, in microseconds.
    #[serde(default)]
    pub first_byte_microseconds: Option<u64>,
    /// In how many reads (HTTP/1) or DATA frames (HTTP/2) the body came. An answer that is streamed
    /// with pauses comes in as many as its pieces at least; one that was held back, in few.
    #[serde(default)]
    pub body_pieces: u32,
    /// Unsolicited complete answers that followed this one on the connection.
    #[serde(default)]
    pub extra_responses: u32,
    /// All unsolicited bytes that followed this answer, as far as the connection
    /// was read on. Bounded to 1 MiB.
    #[serde(default)]
    pub extra_bytes: u64,
    /// What became of an upgrade, if one was asked for and granted.
    #[serde(default)]
    pub upgraded: Option<UpgradeOutcome>,
    /// The protocol that was agreed on over TLS (ALPN), escaped.
    #[serde(default)]
    pub negotiated_protocol: Option<String>,
}

impl ResponseRecord {
    /// Returns the values of a header, in order, matched without regard to case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A request that got no complete answer.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientFailure {
    /// How far it came.
    pub phase: RequestPhase,
    /// What ended it.
    pub cause: FailureCause,
    /// The system's or the parser's message, escaped and bounded to 256 characters.
    pub detail: String,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestPhase {
    /// While connecting: no byte was sent.
    Connect,
    /// While sending.
    Send,
    /// While waiting for or reading the head of the answer.
    ResponseHead,
    /// While reading the body of the answer.
    ResponseBody,
}

/// What ended a request without a complete answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCause {
    /// The connection was refused.
    Refused,
    /// The connection was reset, or the HTTP/2 stream by `RST_STREAM`, whose code `detail` names.
    Reset,
    /// The other side closed before the answer was complete; over HTTP/2 perhaps with a `GOAWAY`,
    /// whose code `detail` names.
    Closed,
    /// The time for one request was used up.
    TimedOut,
    /// The answer is not HTTP, breaks the protocol, or is over the bounds.
    Malformed,
    /// Anything else that the system reported.
    Other,
}

/// The driver's own account: its part of the totals.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriverSummary {
    /// Requests for which a record was written.
    pub sent: u64,
    /// Records with a complete answer.
    pub answered: u64,
    /// Records without.
    pub failed: u64,
    /// The longest time by which a request left after its intended instant, in microseconds.
    pub worst_lag_microseconds: u64,
}
