//! What the driver is told to do: one JSON line on its standard input.

use serde::{Deserialize, Serialize};

pub use crate::model::request::Framing;

/// The driver's whole task.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrivePlan {
    /// What to send, in groups that run at the same time.
    pub streams: Vec<Stream>,
    /// The bound of one request, from its intended send instant until its answer is complete.
    pub request_timeout_milliseconds: u64,
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
    /// Whether connections are kept.
    pub connection: ConnectionUse,
    /// What is sent.
    pub requests: Requests,
}

/// When the requests of a stream are sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pacing {
    /// Each as soon as the one before it has been answered.
    Sequential,
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
    /// One connection is used until the other side closes it. Only with sequential pacing.
    Keep,
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

/// One request, byte by byte.
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
}

/// A further line that the harness may write after the plan.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Send nothing more; report what is under way and end with the summary.
    Stop,
}
