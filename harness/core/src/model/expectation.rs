//! What a scenario file says must be seen of one request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
use super::outcome::Outcome;
use super::timespan::TimeSpan;

/// What stands for the address from which a client's connection came.
pub const PEER: &str = "peer";

/// What must be seen of one request. The outcome is mandatory; the rest sharpens it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expectation {
    /// The outcome on which the witnesses must agree.
    pub outcome: Located<Outcome>,
    /// What the client must have received.
    #[serde(default)]
    pub client: Option<ClientExpectation>,
    /// What the proxy must have recorded.
    #[serde(default)]
    pub proxy: Option<ProxyExpectation>,
    /// What the agent must have recorded.
    #[serde(default)]
    pub agent: Option<AgentExpectation>,
    /// What the application must have received.
    #[serde(default)]
    pub upstream: Option<UpstreamExpectation>,
}

impl Expectation {
    /// Expects an outcome and nothing else.
    pub fn outcome_only(outcome: Outcome) -> Self {
        Self {
            outcome: Located::unwritten(outcome),
            client: None,
            proxy: None,
            agent: None,
            upstream: None,
        }
    }
}

/// What the client must have received.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientExpectation {
    /// The status code.
    #[serde(default)]
    pub status: Option<Located<u16>>,
    /// Header fields that must be there with exactly these values, each `name: value`.
    #[serde(default)]
    pub headers: Vec<Located<String>>,
    /// Names that no header field may have; a trailing `*` stands for any ending.
    #[serde(default)]
    pub absent_headers: Vec<Located<String>>,
    /// The whole body.
    #[serde(default)]
    pub body: Option<Located<String>>,
    /// Trailer fields that must be there with exactly these values, each `name: value`.
    #[serde(default)]
    pub trailers: Vec<Located<String>>,
    /// What became of the first message after an upgrade.
    #[serde(default)]
    pub upgraded: Option<Located<UpgradeOutcome>>,
    /// How the body must have come, where it is streamed.
    #[serde(default)]
    pub streamed: Option<Located<StreamExpectation>>,
}

/// How a streamed body must have come. Both are lower bounds: a busy machine joins pieces, and never takes a stream apart.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StreamExpectation {
    /// In how many pieces at least.
    pub pieces: u32,
    /// How long at least the first byte of the answer came before its end.
    pub over: TimeSpan,
}

/// What the proxy's access log must say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProxyExpectation {
    /// Envoy's response code details, such as `ext_authz_denied`.
    #[serde(default)]
    pub details: Option<Located<String>>,
    /// A response flag that must be among those set, such as `UAEX`.
    #[serde(default)]
    pub flag: Option<Located<String>>,
    /// Whether the proxy cannot read the request's id, because it refuses the head as a whole. Such requests are sent one by one, and
    /// the proxy's records without an id are theirs in order.
    #[serde(default)]
    pub nameless: bool,
    /// Whether the proxy asked the agent.
    #[serde(default)]
    pub asked: Option<Located<bool>>,
    /// How often the proxy sent the request to the application; once when not given.
    #[serde(default)]
    pub attempts: Option<Located<u32>>,
    /// How many redirects of the application the proxy followed by itself; none when not given.
    #[serde(default)]
    pub redirects: Option<Located<u32>>,
}

/// What the agent's data log must say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentExpectation {
    /// Signals that must be among those raised, by the vendor's names: a rule set of another make finds more in the same attack.
    #[serde(default)]
    pub signals: Vec<Located<String>>,
    /// The signals raised: these and no others. For rules that are known.
    #[serde(default)]
    pub signals_only: Vec<Located<String>>,
    /// Where the signals stood, by the vendor's names (`QUERYSTRING`, `FORM`, `HEADER`, …): there and nowhere else.
    #[serde(default)]
    pub locations: Vec<Located<String>>,
    /// The path that the agent must have seen, where the proxy changes it; as sent when not given.
    #[serde(default)]
    pub path: Option<Located<String>>,
    /// The agent's response code (`WAFResponse`).
    #[serde(default)]
    pub decision: Option<Located<i32>>,
    /// The status that the access log reported back to the agent (`ResponseCode`); 0 for none.
    #[serde(default)]
    pub response_code: Option<Located<i32>>,
    /// Whose request the agent took it for: an address, or `peer` for the one from which the connection came.
    #[serde(default)]
    pub client_address: Option<Located<String>>,
}

/// What the application must have received.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UpstreamExpectation {
    /// The request target.
    #[serde(default)]
    pub target: Option<Located<String>>,
    /// Header fields that must be there with exactly these values, each `name: value`.
    #[serde(default)]
    pub headers: Vec<Located<String>>,
    /// Names that no header field may have; a trailing `*` stands for any ending.
    #[serde(default)]
    pub absent_headers: Vec<Located<String>>,
    /// How many mirrored copies the application must have received; none when not given.
    #[serde(default)]
    pub mirrored: Option<Located<u32>>,
}

/// What became of the first message on a connection that changed its protocol.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeOutcome {
    /// A message came back, but another one.
    Altered,
    /// The other side closed before anything came back.
    Closed,
    /// The message came back as it was sent.
    Echoed,
    /// What came back is not a WebSocket frame, or is over its bound.
    Malformed,
    /// Nothing came back in time.
    Silent,
    /// The upgrade was granted with a wrong `sec-websocket-accept`. No message was sent.
    WrongAccept,
}

impl UpgradeOutcome {
    /// Returns the outcome as scenario files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Closed => "closed",
            Self::Echoed => "echoed",
            Self::Malformed => "malformed",
            Self::Silent => "silent",
            Self::WrongAccept => "wrong-accept",
        }
    }
}
