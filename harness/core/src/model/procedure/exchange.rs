//! What an exchange is told: requests that are sent to a pod that stands.

use schemars::JsonSchema;
use serde::Deserialize;

use super::case::{Case, PayloadUse};
use super::refusal::LintRule;
use crate::model::expectation::Expectation;
use crate::model::located::Located;

/// `exchange`: requests are sent to a pod that stands, and each is judged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExchangeSpec {
    /// What must hold before the first request.
    #[serde(default)]
    pub after: Precondition,
    /// How connections are used.
    #[serde(default)]
    pub connection: ConnectionChoice,
    /// What connections to the proxy are secured with; nothing when not given.
    #[serde(default)]
    pub security: Option<Located<ClientSecurity>>,
    /// Requests of the file's own.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Requests of a payload file.
    #[serde(default)]
    pub payloads: Option<PayloadUse>,
    /// Requests that are expanded from seeds.
    #[serde(default)]
    pub corpus: Option<CorpusUse>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
    /// Texts that the agent's log must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// What must become of the response data that the proxy sends to the agent.
    #[serde(default)]
    pub access_log: AccessLogExpectation,
}

/// What connections to the proxy are secured with.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ClientSecurity {
    /// Nothing.
    Cleartext,
    /// TLS with the certificate of `stack.certificates-at`. The request's protocol is the only one offered (ALPN), and must be agreed on.
    Tls,
}

/// What must become of the response data that the proxy sends to the agent.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AccessLogExpectation {
    /// Any number of entries may be lost on the way to the agent; how many is reported.
    Any,
    /// The proxy accounts for one entry for each answered request, and for none dropped.
    #[default]
    Complete,
    /// At least one entry must be lost on the way to the agent; how many is reported.
    Lossy,
}

/// Requests that are expanded from seeds: every value at every position and in every encoding at which it applies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CorpusUse {
    /// The file: `fixtures/payloads/seeds/<name>.yaml`.
    pub seeds: Located<String>,
    /// The number from which paths, names and neighbours are chosen; 1 when not given. The same number gives the same requests.
    #[serde(default)]
    pub number: Option<u64>,
    /// The most requests, twins among them: an even sample over positions. All when not given.
    #[serde(default)]
    pub limit: Option<usize>,
    /// What must be seen of each seed; its twin must be allowed without a signal.
    pub expect: Expectation,
}

/// What must hold before traffic is judged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Precondition {
    /// The pod is ready, the proxy is live and three attacks in a row have been denied.
    #[default]
    Enforcing,
    /// The pod is ready and the proxy is live.
    Ready,
}

/// How the requests of an exchange use connections.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionChoice {
    /// One connection for each request, several requests at a time.
    #[default]
    Separate,
    /// All requests one after the other on one connection.
    Shared,
}
