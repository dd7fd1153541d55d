//! The kinds of findings: one stable name for each way in which what was seen can differ from what had to be seen.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of expectation was not met.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// `access-log`.
    AccessLog,
    /// `admission`.
    Admission,
    /// `agent-client-address`.
    AgentClientAddress,
    /// `agent-container`.
    AgentContainer,
    /// `agent-decision`.
    AgentDecision,
    /// `agent-locations`.
    AgentLocations,
    /// `agent-log`.
    AgentLog,
    /// `agent-method`.
    AgentMethod,
    /// `agent-path`.
    AgentPath,
    /// `agent-record`.
    AgentRecord,
    /// `agent-response-code`.
    AgentResponseCode,
    /// `agent-signals`.
    AgentSignals,
    /// `answer-header`.
    AnswerHeader,
    /// `answer-time`.
    AnswerTime,
    /// `attempts`.
    Attempts,
    /// `authorization-wait`.
    AuthorizationWait,
    /// `call-outcome`.
    CallOutcome,
    /// `calls-at-once`.
    CallsAtOnce,
    /// `client-body`.
    ClientBody,
    /// `client-header`.
    ClientHeader,
    /// `client-status`.
    ClientStatus,
    /// `client-stream`.
    ClientStream,
    /// `client-trailer`.
    ClientTrailer,
    /// `connection`.
    Connection,
    /// `correlation-header`.
    CorrelationHeader,
    /// `denial-status`.
    DenialStatus,
    /// `denied-status`.
    DeniedStatus,
    /// `descriptors`.
    Descriptors,
    /// `drain`.
    Drain,
    /// `enforcement`.
    Enforcement,
    /// `exit-code`.
    ExitCode,
    /// `exposure`.
    Exposure,
    /// `fate`.
    Fate,
    /// `file`.
    File,
    /// `file-size`.
    FileSize,
    /// `gate`.
    Gate,
    /// `grpc-status`.
    GrpcStatus,
    /// `image-digest`.
    ImageDigest,
    /// `image-drift`.
    ImageDrift,
    /// `inspection-gap`.
    InspectionGap,
    /// `joining`.
    Joining,
    /// `kept-connection`.
    KeptConnection,
    /// `kill-after`.
    KillAfter,
    /// `late-record`.
    LateRecord,
    /// `leaked-attack`.
    LeakedAttack,
    /// `leaked-attacks`.
    LeakedAttacks,
    /// `lifecycle`.
    Lifecycle,
    /// `lifecycle-order`.
    LifecycleOrder,
    /// `lint`.
    Lint,
    /// `lost-requests`.
    LostRequests,
    /// `memory`.
    Memory,
    /// `mirrored-copies`.
    MirroredCopies,
    /// `negotiated-protocol`.
    NegotiatedProtocol,
    /// `no-connection`.
    NoConnection,
    /// `out-of-memory`.
    OutOfMemory,
    /// `outage`.
    Outage,
    /// `outcome`.
    Outcome,
    /// `outlives`.
    Outlives,
    /// `overload`.
    Overload,
    /// `pod-security`.
    PodSecurity,
    /// `pre-stop`.
    PreStop,
    /// `processor`.
    Processor,
    /// `proxy-asked`.
    ProxyAsked,
    /// `proxy-details`.
    ProxyDetails,
    /// `proxy-flag`.
    ProxyFlag,
    /// `pull`.
    Pull,
    /// `pull-reason`.
    PullReason,
    /// `read-only-root`.
    ReadOnlyRoot,
    /// `readiness`.
    Readiness,
    /// `ready-within`.
    ReadyWithin,
    /// `reconciliation`.
    Reconciliation,
    /// `recovery`.
    Recovery,
    /// `redirects`.
    Redirects,
    /// `refusal`.
    Refusal,
    /// `reload`.
    Reload,
    /// `reload-decision`.
    ReloadDecision,
    /// `restarted`.
    Restarted,
    /// `secret`.
    Secret,
    /// `security`.
    Security,
    /// `slowdown`.
    Slowdown,
    /// `smuggled-request`.
    SmuggledRequest,
    /// `start`.
    Start,
    /// `startup-probe`.
    StartupProbe,
    /// `stray-files`.
    StrayFiles,
    /// `undeliverable`.
    Undeliverable,
    /// `upgrade`.
    Upgrade,
    /// `upstream-body`.
    UpstreamBody,
    /// `upstream-header`.
    UpstreamHeader,
    /// `upstream-method`.
    UpstreamMethod,
    /// `upstream-target`.
    UpstreamTarget,
    /// `writable-mounts`.
    WritableMounts,
}

impl FindingKind {
    /// Every kind, in the order of their names.
    pub const ALL: [Self; 91] = [
        Self::AccessLog,
        Self::Admission,
        Self::AgentClientAddress,
        Self::AgentContainer,
        Self::AgentDecision,
        Self::AgentLocations,
        Self::AgentLog,
        Self::AgentMethod,
        Self::AgentPath,
        Self::AgentRecord,
        Self::AgentResponseCode,
        Self::AgentSignals,
        Self::AnswerHeader,
        Self::AnswerTime,
        Self::Attempts,
        Self::AuthorizationWait,
        Self::CallOutcome,
        Self::CallsAtOnce,
        Self::ClientBody,
        Self::ClientHeader,
        Self::ClientStatus,
        Self::ClientStream,
        Self::ClientTrailer,
        Self::Connection,
        Self::CorrelationHeader,
        Self::DenialStatus,
        Self::DeniedStatus,
        Self::Descriptors,
        Self::Drain,
        Self::Enforcement,
        Self::ExitCode,
        Self::Exposure,
        Self::Fate,
        Self::File,
        Self::FileSize,
        Self::Gate,
        Self::GrpcStatus,
        Self::ImageDigest,
        Self::ImageDrift,
        Self::InspectionGap,
        Self::Joining,
        Self::KeptConnection,
        Self::KillAfter,
        Self::LateRecord,
        Self::LeakedAttack,
        Self::LeakedAttacks,
        Self::Lifecycle,
        Self::LifecycleOrder,
        Self::Lint,
        Self::LostRequests,
        Self::Memory,
        Self::MirroredCopies,
        Self::NegotiatedProtocol,
        Self::NoConnection,
        Self::OutOfMemory,
        Self::Outage,
        Self::Outcome,
        Self::Outlives,
        Self::Overload,
        Self::PodSecurity,
        Self::PreStop,
        Self::Processor,
        Self::ProxyAsked,
        Self::ProxyDetails,
        Self::ProxyFlag,
        Self::Pull,
        Self::PullReason,
        Self::ReadOnlyRoot,
        Self::Readiness,
        Self::ReadyWithin,
        Self::Reconciliation,
        Self::Recovery,
        Self::Redirects,
        Self::Refusal,
        Self::Reload,
        Self::ReloadDecision,
        Self::Restarted,
        Self::Secret,
        Self::Security,
        Self::Slowdown,
        Self::SmuggledRequest,
        Self::Start,
        Self::StartupProbe,
        Self::StrayFiles,
        Self::Undeliverable,
        Self::Upgrade,
        Self::UpstreamBody,
        Self::UpstreamHeader,
        Self::UpstreamMethod,
        Self::UpstreamTarget,
        Self::WritableMounts,
    ];

    /// Returns the name as reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessLog => "access-log",
            Self::Admission => "admission",
            Self::AgentClientAddress => "agent-client-address",
            Self::AgentContainer => "agent-container",
            Self::AgentDecision => "agent-decision",
            Self::AgentLocations => "agent-locations",
            Self::AgentLog => "agent-log",
            Self::AgentMethod => "agent-method",
            Self::AgentPath => "agent-path",
            Self::AgentRecord => "agent-record",
            Self::AgentResponseCode => "agent-response-code",
            Self::AgentSignals => "agent-signals",
            Self::AnswerHeader => "answer-header",
            Self::AnswerTime => "answer-time",
            Self::Attempts => "attempts",
            Self::AuthorizationWait => "authorization-wait",
            Self::CallOutcome => "call-outcome",
            Self::CallsAtOnce => "calls-at-once",
            Self::ClientBody => "client-body",
            Self::ClientHeader => "client-header",
            Self::ClientStatus => "client-status",
            Self::ClientStream => "client-stream",
            Self::ClientTrailer => "client-trailer",
            Self::Connection => "connection",
            Self::CorrelationHeader => "correlation-header",
            Self::DenialStatus => "denial-status",
            Self::DeniedStatus => "denied-status",
            Self::Descriptors => "descriptors",
            Self::Drain => "drain",
            Self::Enforcement => "enforcement",
            Self::ExitCode => "exit-code",
            Self::Exposure => "exposure",
            Self::Fate => "fate",
            Self::File => "file",
            Self::FileSize => "file-size",
            Self::Gate => "gate",
            Self::GrpcStatus => "grpc-status",
            Self::ImageDigest => "image-digest",
            Self::ImageDrift => "image-drift",
            Self::InspectionGap => "inspection-gap",
            Self::Joining => "joining",
            Self::KeptConnection => "kept-connection",
            Self::KillAfter => "kill-after",
            Self::LateRecord => "late-record",
            Self::LeakedAttack => "leaked-attack",
            Self::LeakedAttacks => "leaked-attacks",
            Self::Lifecycle => "lifecycle",
            Self::LifecycleOrder => "lifecycle-order",
            Self::Lint => "lint",
            Self::LostRequests => "lost-requests",
            Self::Memory => "memory",
            Self::MirroredCopies => "mirrored-copies",
            Self::NegotiatedProtocol => "negotiated-protocol",
            Self::NoConnection => "no-connection",
            Self::OutOfMemory => "out-of-memory",
            Self::Outage => "outage",
            Self::Outcome => "outcome",
            Self::Outlives => "outlives",
            Self::Overload => "overload",
            Self::PodSecurity => "pod-security",
            Self::PreStop => "pre-stop",
            Self::Processor => "processor",
            Self::ProxyAsked => "proxy-asked",
            Self::ProxyDetails => "proxy-details",
            Self::ProxyFlag => "proxy-flag",
            Self::Pull => "pull",
            Self::PullReason => "pull-reason",
            Self::ReadOnlyRoot => "read-only-root",
            Self::Readiness => "readiness",
            Self::ReadyWithin => "ready-within",
            Self::Reconciliation => "reconciliation",
            Self::Recovery => "recovery",
            Self::Redirects => "redirects",
            Self::Refusal => "refusal",
            Self::Reload => "reload",
            Self::ReloadDecision => "reload-decision",
            Self::Restarted => "restarted",
            Self::Secret => "secret",
            Self::Security => "security",
            Self::Slowdown => "slowdown",
            Self::SmuggledRequest => "smuggled-request",
            Self::Start => "start",
            Self::StartupProbe => "startup-probe",
            Self::StrayFiles => "stray-files",
            Self::Undeliverable => "undeliverable",
            Self::Upgrade => "upgrade",
            Self::UpstreamBody => "upstream-body",
            Self::UpstreamHeader => "upstream-header",
            Self::UpstreamMethod => "upstream-method",
            Self::UpstreamTarget => "upstream-target",
            Self::WritableMounts => "writable-mounts",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
