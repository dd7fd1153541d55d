//! What `drain` is told of clients that keep their connections.

use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;

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

/// Whether requests may be cut.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum CutExpectation {
    /// None may be.
    None,
    /// At least one must be, by the proxy's TERM and not before it: the control that shows that cuts are seen.
    Some,
}

/// Whether the proxy asks clients to leave before it has its TERM.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseExpectation {
    /// Every client must have left, by `connection: close` or `GOAWAY`.
    All,
    /// No client may have been asked: the control that shows that leaving is seen.
    None,
}

/// Whether each answered request must have its response data at the agent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseDataExpectation {
    /// Every one must.
    Complete,
    /// Every one must lack it: the control that shows that a loss is seen.
    Lost,
}
