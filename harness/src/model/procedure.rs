//! What each procedure is told by a scenario file.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admission::PodSecurity;
use super::expectation::{ClientExpectation, Expectation};
use super::kept_clients::KeptClients;
use super::located::Located;
use super::outcome::Outcome;
use super::request::RequestSpec;
use super::timespan::TimeSpan;

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

/// One request with what must be seen of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// A name that is unique in the scenario: letters, digits, hyphens.
    pub name: Located<String>,
    /// What the request is. An attack has a twin and gets a deliverability control.
    pub intent: Located<Intent>,
    /// The request.
    pub request: RequestSpec,
    /// What must be seen.
    pub expect: Expectation,
    /// The nearest benign request.
    #[serde(default)]
    pub twin: Option<Twin>,
    /// How often the request is sent; each is judged. Once when not given.
    #[serde(default)]
    pub repeat: Option<Located<u32>>,
    /// Marks an attack that cannot be delivered, because the proxy edits the place where it stands: this text must then
    /// reach neither the agent nor the application, and not the application either when the agent is passed by.
    #[serde(default)]
    pub undeliverable: Option<Located<String>>,
    /// Where the case stands on a ladder, whose outcomes the report shows side by side.
    #[serde(default)]
    pub rung: Option<Rung>,
}

/// A case's place among others that differ from it in one thing alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rung {
    /// What is the same, such as the attack.
    pub ladder: Located<String>,
    /// What differs, such as the encoding.
    pub step: Located<String>,
}

/// What a request is meant as.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// It must be denied.
    Attack,
    /// It must pass.
    Benign,
    /// It tests the proxy, whatever its content.
    Protocol,
}

/// The benign request beside an attack.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Twin {
    /// The request.
    pub request: RequestSpec,
    /// The outcome; `allowed` when not given.
    #[serde(default)]
    pub outcome: Option<Located<Outcome>>,
}

/// Requests of a payload file, all with the same expectation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PayloadUse {
    /// The file: `fixtures/payloads/<name>.yaml`.
    pub file: Located<String>,
    /// What must be seen of each payload.
    pub expect: Expectation,
}

/// `outage`: the agent is disturbed while requests go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutageSpec {
    /// What is done to the agent.
    pub fault: Located<Fault>,
    /// The benign request of the stream.
    pub benign: RequestSpec,
    /// The attack of the stream.
    pub attack: RequestSpec,
    /// The outcome of both while the agent cannot answer.
    pub during: Located<Outcome>,
    /// The least time for which the proxy must have waited for the agent (its time-out).
    #[serde(default)]
    pub waits_at_least: Option<Located<TimeSpan>>,
    /// The request by which the agent takes more memory than it may have; only for `exhaust-memory`.
    #[serde(default)]
    pub trigger: Option<Located<RequestSpec>>,
    /// How many requests the proxy lets wait for the agent at the same time; only for `overload`.
    #[serde(default)]
    pub admits: Option<Located<u32>>,
    /// The bound within which every request must be answered.
    #[serde(default)]
    pub answers_within: Option<Located<TimeSpan>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// What is done to the agent.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It takes more memory than its limit, and the kernel ends it.
    ExhaustMemory,
    /// It is killed under load and restarted by its restart policy.
    Kill,
    /// It is stopped with as many requests in its hands as the proxy lets wait for it. Those that come then are the excess.
    Overload,
    /// It is stopped (it holds its connections and answers nothing), then goes on.
    Pause,
}

/// `refusal`: a deployment that the agent must refuse loudly.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RefusalSpec {
    /// Texts that the agent's log must contain, every one.
    pub says: Vec<Located<String>>,
    /// The bound within which the agent must end; 5 s when not given.
    #[serde(default)]
    pub within: Option<Located<TimeSpan>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
    /// Requests that are sent again and again from the proxy's first moment until the agent has refused twice. The outcome must hold for
    /// each of them.
    pub cases: Vec<Case>,
}

/// What the static check of a deployment can report.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LintRule {
    /// The proxy passes no bodies to the agent.
    BodiesNotInspected,
    /// Response data lacks the headers by which the agent matches it to a request.
    CorrelationHeadersNotLogged,
    /// The grace period is used up by a preStop hook.
    GracePeriodWithinPreStop,
    /// A probe asks the pod's address for a port that the agent binds on its loopback address.
    ProbeOutOfReach,
    /// The agent's root is read-only and nothing writable is mounted where it writes.
    ReadOnlyRootWithoutVolume,
    /// The agent expects response data that the proxy never sends.
    ResponseDataNeverSent,
    /// The proxy sends response data that the agent does not expect.
    ResponseDataNotExpected,
}

impl LintRule {
    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodiesNotInspected => "bodies-not-inspected",
            Self::CorrelationHeadersNotLogged => "correlation-headers-not-logged",
            Self::GracePeriodWithinPreStop => "grace-period-within-pre-stop",
            Self::ProbeOutOfReach => "probe-out-of-reach",
            Self::ReadOnlyRootWithoutVolume => "read-only-root-without-volume",
            Self::ResponseDataNeverSent => "response-data-never-sent",
            Self::ResponseDataNotExpected => "response-data-not-expected",
        }
    }
}

impl fmt::Display for LintRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// `startup`: attacks are sent to the pod's Service from the pod's first moment on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StartupSpec {
    /// The attack.
    pub attack: RequestSpec,
    /// The nearest benign request, which must pass once the rules apply.
    pub benign: RequestSpec,
    /// Attacks per second, open loop.
    pub per_second: Located<f64>,
    /// Where the attacks are sent.
    #[serde(default)]
    pub through: Entrance,
    /// Denials in a row that end the stream.
    pub until_denied: Located<u32>,
    /// Whether attacks may reach the application.
    pub leaks: Located<LeakExpectation>,
    /// What the startup probe must have seen.
    #[serde(default)]
    pub probe: Option<Located<ProbeExpectation>>,
    /// Whether the pod must become ready.
    #[serde(default)]
    pub readiness: ReadinessExpectation,
    /// The bound within which the pod must be ready, from its creation.
    #[serde(default)]
    pub ready_within: Option<Located<TimeSpan>>,
    /// Texts that the agent's log must contain, every one.
    #[serde(default)]
    pub says: Vec<Located<String>>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// Where requests enter the pod.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// The proxy's own port, ready or not: what a client sees that does not come through the Service.
    Proxy,
    /// The pod's Service, which has the pod once it is ready.
    #[default]
    Service,
}

/// Whether the pod must become ready.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReadinessExpectation {
    /// It must not: the startup probe fails until the agent is restarted, and nothing is served.
    Never,
    /// It must.
    #[default]
    Reached,
}

/// Whether attacks reach the application before the rules apply.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum LeakExpectation {
    /// None may.
    None,
    /// At least one must: the control that shows that the meter can see.
    Some,
}

/// What the startup probe must have seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeExpectation {
    /// At least one failure, then success exactly once, and readiness only after it.
    FailsThenSucceedsOnce,
}

/// `drain`: the pod is deleted while requests go on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainSpec {
    /// A benign request and an attack that are sent in turn, from before the deletion until the proxy has its TERM.
    #[serde(default)]
    pub stream: Option<DrainStream>,
    /// Requests that are under way when the deletion is asked for. Each must complete.
    #[serde(default)]
    pub in_flight: Vec<Case>,
    /// Clients of the pod's Service that keep their connections, until the proxy has ended.
    #[serde(default)]
    pub kept: Option<Located<KeptClients>>,
    /// What the timeline must show, per container.
    pub containers: Vec<ContainerEnd>,
    /// What the static check of the deployment must report, and nothing else.
    #[serde(default)]
    pub lint: Vec<Located<LintRule>>,
}

/// The streams of a drain.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DrainStream {
    /// The benign request.
    pub benign: RequestSpec,
    /// The attack.
    pub attack: RequestSpec,
    /// Requests per second of each, open loop.
    pub per_second: Located<f64>,
    /// The outcome of requests that are sent once the agent has ended before the proxy; at least one must be. Not given where the agent
    /// must outlive the proxy.
    #[serde(default)]
    pub without_agent: Option<Located<Outcome>>,
}

/// How a container must end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContainerEnd {
    /// The container.
    pub name: Located<String>,
    /// What becomes of its preStop hook.
    pub pre_stop: Located<PreStopEnd>,
    /// Exit codes of which one must be seen (a signal counts 128 + its number).
    pub exit_codes: Located<Vec<i32>>,
    /// A container that must have ended before this one.
    #[serde(default)]
    pub outlives: Option<Located<String>>,
    /// The time between TERM and KILL that the container must have been given.
    #[serde(default)]
    pub kill_after: Option<Located<TimeSpan>>,
}

/// What becomes of a preStop hook.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum PreStopEnd {
    /// There is none.
    Absent,
    /// It cannot run or fails: Kubernetes' `FailedPreStopHook`.
    Fails,
    /// It ends by itself before TERM.
    Finishes,
    /// It uses up the grace period.
    Overruns,
}

/// `filesystem`: what a container writes and where it may, and what else the kernel keeps it from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilesystemSpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// The container; the agent's when not given.
    #[serde(default)]
    pub container: Option<Located<String>>,
    /// What the kernel must say of the container's root.
    #[serde(default)]
    pub root: RootExpectation,
    /// Mount points that the container may write to. No other may exist but a writable root, and no file that it writes may lie elsewhere.
    pub writable: Located<Vec<String>>,
    /// Files that must be there, with their kind.
    pub files: Vec<ExpectedFile>,
    /// The most bytes that all its files may take.
    pub size_limit: Located<u64>,
    /// What the kernel must keep the container's first process from.
    #[serde(default)]
    pub security: Option<Located<PodSecurity>>,
}

/// What the kernel must say of a container's root.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum RootExpectation {
    /// It is mounted read-only.
    #[default]
    ReadOnly,
    /// It is writable: whatever the agent adds to it shows.
    Writable,
}

/// A file that must be there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpectedFile {
    /// The path inside the container.
    pub path: Located<String>,
    /// `file`, `directory` or `socket`.
    pub kind: Located<String>,
}

/// `secrecy`: after traffic, the agent's keys are looked for wherever they could show.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecrecySpec {
    /// Requests that are judged first, so that the agent has worked.
    pub cases: Vec<Case>,
    /// What a client must never receive, in any answer.
    #[serde(default)]
    pub client: ClientExpectation,
}
