//! What an environment and an agent can do, and what a scenario needs.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One capability that a scenario can need.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The agent under test reads the reference stub's own `STUB_*` settings.
    AgentFaultInjection,
    /// The environment can pause and kill containers.
    ContainerFaults,
    /// The kubelet (or its rehearsal) runs exec hooks before it sends TERM.
    PreStopExec,
    /// The kernel enforces a read-only root.
    ReadOnlyRootfs,
    /// The proxy sends response data to the agent and the agent logs it.
    ResponseData,
    /// The kubelet (or its rehearsal) honours HTTP startup probes.
    StartupProbeHttp,
}

impl Feature {
    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentFaultInjection => "agent-fault-injection",
            Self::ContainerFaults => "container-faults",
            Self::PreStopExec => "pre-stop-exec",
            Self::ReadOnlyRootfs => "read-only-rootfs",
            Self::ResponseData => "response-data",
            Self::StartupProbeHttp => "startup-probe-http",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A set of features.
pub type FeatureSet = BTreeSet<Feature>;
