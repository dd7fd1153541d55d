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
    /// The environment can put agents into pods of their own, behind a Service.
    AgentService,
    /// The agent under test serves the proxy on a unix socket.
    AgentUnixSocket,
    /// The environment can pause and kill containers.
    ContainerFaults,
    /// The agent logs every decision where the suite reads it.
    DataLog,
    /// The API reads back the digests of the pod's images, and the right one is known for each.
    ImageDigests,
    /// A kubelet pulls images by their pull policies.
    ImagePull,
    /// The run's own images are in no registry: they were made here.
    ImagesInNoRegistry,
    /// The run's own images are on the nodes before the first pod is.
    ImagesOnNodes,
    /// The kernel ends a container that takes more memory than its limit.
    MemoryLimits,
    /// The kubelet (or its rehearsal) starts and ends native sidecars in their order.
    NativeSidecar,
    /// The environment has several nodes that take pods, and one of them can be drained.
    NodeDrain,
    /// The cluster refuses pods by the Pod Security Standard that their namespace enforces.
    PodSecurityAdmission,
    /// The kubelet (or its rehearsal) runs exec hooks before it sends TERM.
    PreStopExec,
    /// The kubelet (or its rehearsal) pauses by itself before it sends TERM.
    PreStopSleep,
    /// The kernel enforces a read-only root.
    ReadOnlyRootfs,
    /// The agent under test has the reference stub's rules, so that recall and precision over a corpus are all or nothing.
    ReferenceRules,
    /// The environment measures how much memory, processor time and descriptors a container takes.
    ResourceUsage,
    /// The proxy sends response data to the agent and the agent logs it.
    ResponseData,
    /// The environment has a Deployment's pods behind one Service, and replaces them.
    Rollout,
    /// Containers can run as another user than the image's.
    RunAsUser,
    /// The container runtime puts its seccomp profile on containers that ask for it.
    SeccompProfile,
    /// The kubelet (or its rehearsal) honours gRPC startup probes.
    StartupProbeGrpc,
    /// The kubelet (or its rehearsal) honours HTTP startup probes.
    StartupProbeHttp,
    /// The kubelet (or its rehearsal) honours TCP startup probes.
    StartupProbeTcp,
    /// A Service whose only pod is being deleted refuses connections, as before Kubernetes 1.26.
    TerminatingEndpointsUnused,
    /// A Service whose only pod is being deleted leads to it for as long as it serves, as from Kubernetes 1.26 on.
    TerminatingEndpointsUsed,
    /// The agent under test reads the settings that the vendor documents, its address, keys, folders and certificates among them, and speaks in the vendor's
    /// headers.
    VendorInterface,
}

impl Feature {
    /// Every feature, by name.
    pub const ALL: [Self; 28] = [
        Self::AgentFaultInjection,
        Self::AgentService,
        Self::AgentUnixSocket,
        Self::ContainerFaults,
        Self::DataLog,
        Self::ImageDigests,
        Self::ImagePull,
        Self::ImagesInNoRegistry,
        Self::ImagesOnNodes,
        Self::MemoryLimits,
        Self::NativeSidecar,
        Self::NodeDrain,
        Self::PodSecurityAdmission,
        Self::PreStopExec,
        Self::PreStopSleep,
        Self::ReadOnlyRootfs,
        Self::ReferenceRules,
        Self::ResourceUsage,
        Self::ResponseData,
        Self::Rollout,
        Self::RunAsUser,
        Self::SeccompProfile,
        Self::StartupProbeGrpc,
        Self::StartupProbeHttp,
        Self::StartupProbeTcp,
        Self::TerminatingEndpointsUnused,
        Self::TerminatingEndpointsUsed,
        Self::VendorInterface,
    ];

    /// Returns whether it is the agent that has it or lacks it, and not the environment.
    pub const fn is_of_the_agent(self) -> bool {
        match self {
            Self::AgentFaultInjection
            | Self::VendorInterface
            | Self::AgentUnixSocket
            | Self::DataLog
            | Self::ReferenceRules
            | Self::ResponseData => true,
            Self::AgentService
            | Self::ContainerFaults
            | Self::ImageDigests
            | Self::ImagePull
            | Self::ImagesInNoRegistry
            | Self::ImagesOnNodes
            | Self::MemoryLimits
            | Self::NativeSidecar
            | Self::NodeDrain
            | Self::PodSecurityAdmission
            | Self::PreStopExec
            | Self::PreStopSleep
            | Self::ReadOnlyRootfs
            | Self::ResourceUsage
            | Self::Rollout
            | Self::RunAsUser
            | Self::SeccompProfile
            | Self::StartupProbeGrpc
            | Self::StartupProbeHttp
            | Self::StartupProbeTcp
            | Self::TerminatingEndpointsUnused
            | Self::TerminatingEndpointsUsed => false,
        }
    }

    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentFaultInjection => "agent-fault-injection",
            Self::AgentService => "agent-service",
            Self::AgentUnixSocket => "agent-unix-socket",
            Self::ContainerFaults => "container-faults",
            Self::DataLog => "data-log",
            Self::ImageDigests => "image-digests",
            Self::ImagePull => "image-pull",
            Self::ImagesInNoRegistry => "images-in-no-registry",
            Self::ImagesOnNodes => "images-on-nodes",
            Self::MemoryLimits => "memory-limits",
            Self::NativeSidecar => "native-sidecar",
            Self::NodeDrain => "node-drain",
            Self::PodSecurityAdmission => "pod-security-admission",
            Self::PreStopExec => "pre-stop-exec",
            Self::PreStopSleep => "pre-stop-sleep",
            Self::ReadOnlyRootfs => "read-only-rootfs",
            Self::ReferenceRules => "reference-rules",
            Self::ResourceUsage => "resource-usage",
            Self::ResponseData => "response-data",
            Self::Rollout => "rollout",
            Self::RunAsUser => "run-as-user",
            Self::SeccompProfile => "seccomp-profile",
            Self::StartupProbeGrpc => "startup-probe-grpc",
            Self::StartupProbeHttp => "startup-probe-http",
            Self::StartupProbeTcp => "startup-probe-tcp",
            Self::TerminatingEndpointsUnused => "terminating-endpoints-unused",
            Self::TerminatingEndpointsUsed => "terminating-endpoints-used",
            Self::VendorInterface => "vendor-interface",
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
