//! What the driver is instructed to do: one JSON line on its standard input.

use serde::{Deserialize, Serialize};

use super::contract::plan::ContractPlan;
pub use super::latency::plan::LatencyPlan;
pub use super::tls_plan::TlsPlan;
pub use harness_core::model::request::{BodyPacing, BodyStart, Framing, Protocol, Upgrade};

/// The driver's whole task: the first line of its input.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Calls to a gRPC server.
    Contract(ContractPlan),
    /// Requests over HTTP of which nothing is kept but when they were due and when they were answered.
    Latency(LatencyPlan),
    /// Requests over HTTP.
    Traffic(DrivePlan),
}

/// Requests over HTTP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrivePlan {
    /// What to send, in groups that run at the same time.
    pub streams: Vec<Stream>,
    /// The bound of one request, from its intended send instant until its answer is complete.
    pub request_timeout_milliseconds: u64,
    /// The address of a Service that the driver translates itself, as `host:port`: for each connection it asks there for the address, and
    /// connects to what it is answered. None where a node does so.
    #[serde(default)]
    pub translated_service: Option<String>,
}

impl DrivePlan {
    /// Returns how many requests the driver sends unless it is stopped; none where that is up to the other side.
    #[must_use]
    pub fn request_count(&self) -> Option<u64> {
        self.streams.iter().map(Stream::request_count).sum()
    }
}

/// Requests that follow each other.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stream {
    /// Names the stream in its records.
    pub name: String,
    /// `host:port` to connect to.
    pub address: String,
    /// When each request is sent.
    pub pacing: Pacing,
    /// Whether connections are persistent.
    pub connection: ConnectionUse,
    /// Speaks TLS on each connection; none means cleartext.
    #[serde(default)]
    pub tls: Option<TlsPlan>,
    /// What is sent.
    pub requests: Requests,
}

impl Stream {
    fn request_count(&self) -> Option<u64> {
        match self.connection {
            ConnectionUse::New | ConnectionUse::Keep => Some(match &self.requests {
                Requests::List(requests) => requests.len() as u64,
                Requests::Repeat { limit, .. } => u64::from(*limit),
            }),
            ConnectionUse::KeepUntilRefused => None,
        }
    }
}

/// When the requests of a stream are sent.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pacing {
    /// Each as soon as the one before it has been answered.
    Sequential,
    /// Each as soon as the one before it has been answered, and at most so many a second: what is slow has one at a time to answer, and what
    /// answers at once is not flooded.
    Paced {
        /// Requests per second.
        per_second: f64,
    },
    /// Open loop: request `n` is due at `n / rate` after the start, whether or not earlier ones
    /// have been answered, and its times are counted from that intended instant.
    Rate {
        /// Requests per second.
        per_second: f64,
    },
    /// All at once, with at most this many under way.
    Concurrent {
        /// Requests under way at the same time.
        limit: u32,
    },
}

/// How a stream uses connections.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionUse {
    /// One new connection for each request.
    New,
    /// One connection is used until the other side closes it: with sequential pacing, or for
    /// HTTP/2, which carries many requests at once.
    Keep,
    /// As `Keep`; the stream ends with the first request for which there is no connection.
    KeepUntilRefused,
}

/// What a stream sends.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requests {
    /// These, once each, in order.
    List(Vec<PlannedRequest>),
    /// The same request again and again until a `stop` line arrives or `limit` is reached. Its id
    /// has `{n}` in it, which the driver replaces by 0, 1, 2, …
    Repeat {
        /// The request.
        request: PlannedRequest,
        /// The most that are sent.
        limit: u32,
    },
}

/// One request, byte by byte. Fields with a default may be absent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlannedRequest {
    /// The request's id; the driver sends it in `x-conformance-id` as the first header.
    pub id: String,
    /// The method, as written on the wire.
    pub method: String,
    /// The request target, as written on the wire.
    pub target: String,
    /// Header fields in the order in which they are sent. `host` and `content-length` are added
    /// when absent and needed.
    pub headers: Vec<(String, String)>,
    /// The body in base64; none means no body and no `content-length`.
    pub body_base64: Option<String>,
    /// How the body is framed.
    pub framing: Framing,
    /// Exactly these bytes in base64 instead of everything above but the id, which only the record
    /// has then; nothing is added. In a repeated request, each occurrence of the id in these bytes
    /// is numbered like the id.
    #[serde(default)]
    pub raw_base64: Option<String>,
    /// The protocol in which the request is sent.
    #[serde(default)]
    pub protocol: Protocol,
    /// Trailer fields in order; in HTTP/1.1 only after a chunked body.
    #[serde(default)]
    pub trailers: Vec<(String, String)>,
    /// Sends the body, or the whole of a raw request, in pieces with a pause between them.
    #[serde(default)]
    pub body_pacing: Option<BodyPacing>,
    /// When the body follows the head.
    #[serde(default)]
    pub body_start: BodyStart,
    /// Asks for another protocol on the connection; the body is then its first message.
    #[serde(default)]
    pub upgrade: Option<Upgrade>,
    /// How long the connection is read on after the answer for unsolicited bytes; 300 ms after
    /// a raw request and not at all after any other when not given. HTTP/2 has nothing to read on.
    #[serde(default)]
    pub linger_milliseconds: Option<u32>,
}

/// A further line that the harness may write after the plan.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Send nothing more; report what is under way and end with the summary.
    Stop,
}
