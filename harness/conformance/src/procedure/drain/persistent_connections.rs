//! What `drain` is told of clients that keep their connections.

use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;
use harness_verdict::judge::drain::{CutExpectation, ReleaseExpectation, ResponseDataExpectation};

/// Clients of the pod's Service that keep their connections. A client whose connection ends asks the Service for another one, which a pod
/// that is being deleted no longer gets: the client is turned away, and in a cluster another pod would have taken it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PersistentConnections {
    /// The request that every client sends again and again; benign.
    pub request: RequestSpec,
    /// Clients of HTTP/1.1, each with one request at a time.
    #[serde(default)]
    pub http1: u32,
    /// Clients of HTTP/2, each open loop.
    #[serde(default)]
    pub http2: u32,
    /// How long the application takes for each request: what is under way when the proxy ends.
    pub answer_delay: TimeSpan,
    /// Whether requests may be cut: sent on a connection, and never answered.
    pub cut: Located<CutExpectation>,
    /// Whether the proxy asks clients to leave before it has its TERM.
    pub released: Located<ReleaseExpectation>,
    /// Whether each answered request must have its response data at the agent.
    #[serde(default)]
    pub response_data: Option<Located<ResponseDataExpectation>>,
}
