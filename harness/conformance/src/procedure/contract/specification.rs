//! `contract`: calls to the agent's gRPC services without a proxy, each judged.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use harness_core::model::call_expectation::CallExpectation;
use harness_core::model::located::Located;
use harness_core::model::request::{BodySpec, FilledBody};
use harness_core::model::timespan::TimeSpan;

/// `contract`: calls to the agent's gRPC services without a proxy, each judged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContractSpec {
    /// How the agent is reached. The controls of the scenario go the same way.
    #[serde(default)]
    pub connection: ContractConnection,
    /// The calls, in order.
    pub cases: Vec<ContractCase>,
}

/// How the agent's port is reached.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Deserialize,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ContractConnection {
    /// HTTP/2 without TLS.
    #[default]
    Plaintext,
    /// TLS that trusts the deployment's certificate authority.
    Tls,
    /// TLS that trusts another authority only.
    TlsTrustingAStranger,
}

impl fmt::Display for ContractConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "tls",
            Self::TlsTrustingAStranger => "tls-trusting-a-stranger",
        })
    }
}

/// One call with what must be seen of it: exactly one of `check`, `access-log` and `health`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContractCase {
    /// A name that is unique in the scenario: letters, digits, hyphens.
    pub name: Located<String>,
    /// Asks for a decision.
    #[serde(default)]
    pub check: Option<Located<CheckSpec>>,
    /// Sends access-log entries.
    #[serde(default)]
    pub access_log: Option<Located<AccessLogSpec>>,
    /// Asks whether a service is healthy.
    #[serde(default)]
    pub health: Option<Located<HealthSpec>>,
    /// How the agent is reached, where it differs from the scenario's.
    #[serde(default)]
    pub connection: Option<Located<ContractConnection>>,
    /// What must be seen.
    pub expect: CallExpectation,
}

/// The one call of a case.
#[derive(Clone, Copy, Debug)]
pub enum ContractCall<'a> {
    /// Access-log entries.
    AccessLog(&'a AccessLogSpec),
    /// A decision.
    Check(&'a CheckSpec),
    /// A question for health.
    Health(&'a HealthSpec),
}

impl ContractCase {
    /// Returns the call, if there is exactly one.
    pub fn call(&self) -> Option<ContractCall<'_>> {
        match (&self.check, &self.access_log, &self.health) {
            (Some(check), None, None) => Some(ContractCall::Check(check)),
            (None, Some(log), None) => Some(ContractCall::AccessLog(log)),
            (None, None, Some(health)) => Some(ContractCall::Health(health)),
            (None, None, None)
            | (Some(_), Some(_), _)
            | (Some(_), _, Some(_))
            | (_, Some(_), Some(_)) => None,
        }
    }

    /// Returns how often the call is made.
    pub fn times(&self) -> u32 {
        match self.call() {
            Some(ContractCall::Check(check)) => {
                check.repeat.as_ref().map_or(1, |repeat| repeat.value)
            }
            Some(ContractCall::AccessLog(log)) => {
                log.streams.as_ref().map_or(1, |streams| streams.value)
            }
            Some(ContractCall::Health(_)) | None => 1,
        }
    }
}

/// One `envoy.service.auth.v3.Authorization/Check`. The message carries the case's id in `x-conformance-id`, where it has headers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CheckSpec {
    /// How much of the message is filled in.
    pub attributes: AttributeExtent,
    /// The part at which the message ends early. It then has no request, and no id.
    pub missing: Option<Located<MissingPart>>,
    /// The method; `GET` without a body and `POST` with one when not given.
    pub method: Option<Located<String>>,
    /// The path with its query; `/` when not given.
    pub path: Option<Located<String>>,
    /// The path with its query, of an exact length; excludes `path`.
    pub path_filled: Option<Located<FilledBody>>,
    /// Header fields, each `name: value`.
    pub headers: Vec<Located<String>>,
    /// So many further header fields, `x-numbered-0: 0` and onwards.
    pub numbered_headers: Option<Located<u32>>,
    /// Which of the message's two fields for headers is filled.
    pub header_form: HeaderForm,
    /// The body.
    pub body: Option<Located<BodySpec>>,
    /// Which of the message's two fields for a body is filled.
    pub body_form: BodyForm,
    /// What `x-envoy-auth-partial-body` says of the body; nothing when not given.
    pub body_extent: Option<BodyExtent>,
    /// The length of the whole request as the message gives it; that of the body, or -1 without one, when not given.
    pub size: Option<i64>,
    /// The address of the client; 192.0.2.10 when not given.
    pub source_address: Option<Located<String>>,
    /// Whether the message has fields that no published version of the protocol knows.
    pub unknown_fields: UnknownFields,
    /// The length of the whole message in bytes: the front of the body is filled up to it.
    pub message_length: Option<Located<u32>>,
    /// The time that the call gives the agent (`grpc-timeout`). The call is cancelled when it is used up, as the proxy does.
    pub deadline: Option<Located<TimeSpan>>,
    /// How often the call is made, each with an id of its own. Once when not given.
    pub repeat: Option<Located<u32>>,
    /// When repeated calls are made.
    pub pacing: CallPacing,
}

/// How much of a check is filled in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeExtent {
    /// Every field that the protocol has.
    Maximal,
    /// Method, path, headers and body.
    Minimal,
    /// What Envoy fills in.
    #[default]
    Usual,
}

/// Where a check ends early.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum MissingPart {
    /// The message is empty.
    Attributes,
    /// The request is there and is not HTTP.
    Http,
    /// The attributes are there without a request.
    Request,
}

/// Which of a check's two fields for headers is filled.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderForm {
    /// Both, with the same headers.
    Both,
    /// `header_map`, as with Envoy's `encode_raw_headers`.
    List,
    /// `headers`, Envoy's default.
    #[default]
    Map,
    /// Neither. The message has no id then.
    Neither,
}

/// Which of a check's two fields for a body is filled.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum BodyForm {
    /// `raw_body`, as with Envoy's `pack_as_bytes`.
    Bytes,
    /// `body`, Envoy's default.
    #[default]
    Text,
}

/// What `x-envoy-auth-partial-body` says.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum BodyExtent {
    /// `true`: the body goes on.
    Part,
    /// `false`: this is all of it.
    Whole,
}

/// Whether a message has fields that no published version of its protocol knows.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownFields {
    /// It has none.
    #[default]
    Absent,
    /// It has several, at its end and inside of it.
    Appended,
}

/// When the calls of a case are made.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum CallPacing {
    /// All are under way at the same time, on one connection. Of calls with a deadline so many as are opened before the first ends.
    AtOnce,
    /// Each as soon as the one before it has been answered.
    #[default]
    OneByOne,
}

/// One `envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs`, or several of them at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccessLogSpec {
    /// Which messages carry the identifier.
    #[serde(default)]
    pub identifier: IdentifierPlace,
    /// The entries, in order.
    pub entries: Vec<Located<LogEntrySpec>>,
    /// The most entries of one message; all of one kind go into one message when not given.
    #[serde(default)]
    pub batch: Option<Located<u32>>,
    /// Over how many streams the messages are dealt out. All are open at the same time. One when not given.
    #[serde(default)]
    pub streams: Option<Located<u32>>,
    /// Whether the messages have fields that no published version of the protocol knows.
    #[serde(default)]
    pub unknown_fields: UnknownFields,
}

/// Which messages of a stream carry the identifier.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierPlace {
    /// Every message.
    Every,
    /// The first of each stream, as the protocol says.
    #[default]
    First,
    /// None.
    Nowhere,
}

/// Some entries: exactly one of `check`, `unknown` and `tcp`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogEntrySpec {
    /// One entry for each request of this check, which stands further up.
    #[serde(default)]
    pub check: Option<Located<String>>,
    /// So many entries of requests that the agent was never asked about.
    #[serde(default)]
    pub unknown: Option<Located<u32>>,
    /// So many entries of TCP connections.
    #[serde(default)]
    pub tcp: Option<Located<u32>>,
    /// The status of the answer; 200 when not given.
    #[serde(default)]
    pub response_code: Option<Located<u16>>,
}

/// One `grpc.health.v1.Health/Check`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HealthSpec {
    /// The service; empty for the server as a whole.
    #[serde(default)]
    pub service: String,
}
