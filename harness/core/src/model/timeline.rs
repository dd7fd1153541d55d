//! What happened to a pod and when: the record that lifecycle judgements and the report read.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One dated event of a pod's lifecycle.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimelineEvent {
    /// When it happened, by the wall clock of the machine that observed it.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The container concerned; none for the pod as a whole.
    pub container: Option<String>,
    /// What happened.
    pub event: LifecycleEvent,
}

/// What can happen to a pod or one of its containers.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleEvent {
    /// The pod exists; nothing runs yet.
    PodCreated,
    /// The container's process runs.
    Started {
        /// How often the container has been restarted before this start.
        restart_count: u32,
    },
    /// The container's process ended.
    Exited(ExitStatus),
    /// The container's process ended, and the kubelet cannot say how.
    EndUnknown {
        /// The kubelet's message.
        reason: String,
    },
    /// A probe was carried out.
    Probed {
        /// Which of the three probes.
        probe: ProbeKind,
        /// Whether it succeeded.
        success: bool,
        /// What was seen: a status code, a connection error, an exit status.
        detail: String,
    },
    /// The startup probe has succeeded (or there is none): Kubernetes' `started: true`.
    StartupComplete,
    /// The container counts as ready.
    ContainerReady,
    /// The container no longer counts as ready.
    ContainerNotReady,
    /// The pod is ready: it becomes an endpoint of its Service.
    PodReady,
    /// The pod is no longer ready: it is taken out of its Service.
    PodNotReady,
    /// Someone asked for the pod's deletion.
    DeletionRequested {
        /// The grace period in seconds that covers preStop and TERM together.
        grace_period_seconds: u64,
    },
    /// The container's preStop hook runs.
    PreStopStarted,
    /// The container's preStop hook ended by itself.
    PreStopFinished {
        /// Exit code of an exec hook; none for other kinds.
        exit_code: Option<i32>,
    },
    /// The hook could not run or failed (Kubernetes' `FailedPreStopHook`).
    PreStopFailed {
        /// The reason.
        reason: String,
    },
    /// The hook was still running when the grace period was used up.
    PreStopOverran,
    /// TERM was sent, as far as it is known at the event's moment.
    TermSent {
        /// The earliest moment at which it can have been sent, where it was not observed: a kubelet does not report it. None where it was observed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        not_before: Option<Timestamp>,
        /// How long the container has from now before KILL, in milliseconds.
        kill_after_milliseconds: u64,
    },
    /// KILL was sent.
    KillSent,
    /// The kernel has ended the container, which took more memory than its limit (Kubernetes' `OOMKilled`).
    OutOfMemory,
    /// The container will be started again.
    Restarting {
        /// Why.
        reason: String,
    },
    /// The harness injected a fault on purpose.
    FaultInjected {
        /// What was done: `paused`, `resumed`, `killed`.
        fault: String,
    },
    /// Nothing of the pod runs any more.
    PodGone,
}

impl TimelineEvent {
    /// Returns the earliest moment at which it can have happened.
    pub const fn earliest(&self) -> Timestamp {
        match &self.event {
            LifecycleEvent::TermSent {
                not_before: Some(earliest),
                ..
            } => *earliest,
            _ => self.at,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// It exited by itself.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl ExitStatus {
    /// Returns the exit code as Kubernetes reports it: a signal counts as 128 + its number.
    pub const fn as_container_exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// The three probes of a container.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Holds back the other two until it has succeeded once.
    Startup,
    /// Decides whether the pod is an endpoint.
    Readiness,
    /// Restarts the container when it fails.
    Liveness,
}
