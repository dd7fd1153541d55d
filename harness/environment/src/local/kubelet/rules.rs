//! What a pod template asks of the kubelet, reduced to what the rules need.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The lifecycle part of a pod template.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) struct PodRules {
    /// The containers, in the order in which they are started.
    pub containers: Vec<ContainerRules>,
    /// What happens when a container ends.
    pub restart_policy: RestartPolicy,
    /// Covers preStop and TERM together.
    pub grace: Duration,
}

/// The lifecycle part of one container.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) struct ContainerRules {
    /// The container's name.
    pub name: String,
    /// Holds back the other two probes and readiness.
    pub startup: Option<ProbeRules>,
    /// Decides whether the container is ready.
    pub readiness: Option<ProbeRules>,
    /// Restarts the container when it fails.
    pub liveness: Option<ProbeRules>,
    /// Runs before TERM.
    pub pre_stop: Option<PreStopHook>,
    /// Where the container stands in the pod's start and end.
    pub role: ContainerRole,
}

/// Where a container stands in the pod's start and end.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) enum ContainerRole {
    /// It is started without waiting for the one before it, and gets TERM with the others.
    #[default]
    Main,
    /// A native sidecar (an init container that restarts always): its startup probe holds back the start of what follows it, and its TERM
    /// waits for what follows it to have ended.
    Sidecar,
}

/// When a container that ended is started again.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) enum RestartPolicy {
    /// Whatever its exit code.
    #[default]
    Always,
    /// Unless its exit code is zero.
    OnFailure,
    /// Not at all.
    Never,
}

/// One probe.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) struct ProbeRules {
    /// No attempt is made earlier than this after the container's start.
    pub initial_delay: Duration,
    /// From one attempt to the next.
    pub period: Duration,
    /// The bound of one attempt.
    pub timeout: Duration,
    /// Failures in a row that count as failed.
    pub failure_threshold: u32,
    /// Successes in a row that count as succeeded.
    pub success_threshold: u32,
    /// The grace period of a container that is ended because of this probe.
    pub grace: Option<Duration>,
    /// What is attempted.
    pub check: ProbeCheck,
}

/// What a probe attempts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) enum ProbeCheck {
    /// A command in the container; exit code zero is success.
    Exec(Vec<String>),
    /// A question over the network.
    Dial(Dial),
}

/// A question over the pod's network.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) enum Dial {
    /// A GET; 200 to 399 is success.
    Http {
        /// The address that is dialled.
        host: String,
        /// The port.
        port: u16,
        /// Path and query.
        path: String,
        /// Further header fields; `host` among them replaces the usual one.
        headers: Vec<(String, String)>,
    },
    /// A connection.
    Tcp {
        /// The address that is dialled.
        host: String,
        /// The port.
        port: u16,
    },
    /// `grpc.health.v1.Health/ProbeCheck`; `SERVING` is success.
    Grpc {
        /// The address that is dialled.
        host: String,
        /// The port.
        port: u16,
        /// The service that is asked about; empty for the server as a whole.
        service: String,
    },
}

/// A preStop hook.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(in crate::local) enum PreStopHook {
    /// A command in the container.
    Exec(Vec<String>),
    /// A GET whose status does not matter.
    Dial(Dial),
    /// A pause.
    Sleep(Duration),
}
