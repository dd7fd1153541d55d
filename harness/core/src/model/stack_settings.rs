//! What a scenario deploys, as differences from a manifest. Data only.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::pod_security::{PodSecurity, PodSecurityStandard};
use super::pull_policy::PullPolicy;
use super::timespan::TimeSpan;

/// What is deployed, as differences from a manifest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StackSettings {
    /// The manifest: `fixtures/kubernetes/<name>.yaml`.
    pub manifest: Located<String>,
    /// The proxy's configuration: `envoy-configs/<name>.yaml`.
    pub envoy: Located<String>,
    /// Environment variables of the agent that are set or replaced.
    pub agent_env: BTreeMap<String, String>,
    /// Environment variables of the agent that are taken out.
    pub agent_env_removed: Vec<Located<String>>,
    /// Where certificates for the hop between proxy and agent are mounted in both, as `ca.crt`, `tls.crt`, `tls.key` and
    /// `stranger-ca.crt` (an authority that has signed nothing here). The certificate is for `localhost`, `sigsci-agent` and 127.0.0.1.
    pub certificates_at: Option<Located<String>>,
    /// The pod's grace period, in whole seconds.
    pub grace_period: Option<Located<TimeSpan>>,
    /// `emptyDir` volumes that are added to the manifest's or replace them, by name.
    pub volumes: BTreeMap<String, VolumeSettings>,
    /// What every container is kept from; as in the manifest when not given. User and group are then 65532.
    pub pod_security: Option<Located<PodSecurity>>,
    /// The Pod Security Standard that the pod's namespace enforces (Kubernetes 1.23 and later).
    pub namespace_enforces: Option<Located<PodSecurityStandard>>,
    /// The containers in the order in which the kubelet starts them; the manifest's when not given.
    pub start_order: Option<Located<Vec<String>>>,
    /// What kind of container the agent is.
    pub agent_place: Located<AgentPlace>,
    /// How many agents there are behind their Service; only where `agent-place` is `service`, and then 1 when not given.
    pub agent_replicas: Option<Located<u32>>,
    /// Probes and hooks of the agent.
    pub agent: ContainerSettings,
    /// Probes and hooks of the proxy.
    pub front_proxy: ContainerSettings,
    /// Probes and hooks of the application.
    pub application: ContainerSettings,
}

impl Default for StackSettings {
    fn default() -> Self {
        Self {
            manifest: Located::unwritten("corrected".into()),
            envoy: Located::unwritten("fail-closed".into()),
            agent_env: BTreeMap::new(),
            agent_env_removed: Vec::new(),
            certificates_at: None,
            grace_period: None,
            volumes: BTreeMap::new(),
            pod_security: None,
            namespace_enforces: None,
            start_order: None,
            agent_place: Located::unwritten(AgentPlace::default()),
            agent_replicas: None,
            agent: ContainerSettings::default(),
            front_proxy: ContainerSettings::default(),
            application: ContainerSettings::default(),
        }
    }
}

/// What kind of container the agent is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AgentPlace {
    /// One beside the others, as in the guide.
    #[default]
    Main,
    /// An init container that restarts always: its startup probe holds the others back, and it ends after them.
    NativeSidecar,
    /// A container of pods of its own, behind a Service. The proxy's configuration has 192.0.2.10, 192.0.2.11 and so on in the agents' places.
    Service,
}

/// An `emptyDir` volume.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct VolumeSettings {
    /// What it may hold, as Kubernetes writes it: `1Mi`.
    pub size_limit: Option<String>,
}

/// Probes, hooks and mounts of one container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ContainerSettings {
    /// The startup probe.
    pub startup_probe: Option<Located<ProbeSettings>>,
    /// The readiness probe.
    pub readiness_probe: Option<Located<ProbeSettings>>,
    /// The preStop hook: a command with its arguments.
    pub pre_stop_exec: Option<Vec<String>>,
    /// The preStop hook: the kubelet's own pause, in whole seconds (Kubernetes 1.30 and later).
    pub pre_stop_sleep: Option<Located<TimeSpan>>,
    /// Arguments that are added to the container's.
    pub arguments: Vec<String>,
    /// Volumes that are mounted besides the manifest's, or elsewhere than there: volume name to path.
    pub mounts: BTreeMap<String, String>,
    /// Whether the root is read-only; as in the manifest when not given.
    pub read_only_root: Option<bool>,
    /// The memory that it may take, as Kubernetes writes it: `64Mi`.
    pub memory_limit: Option<Located<String>>,
    /// The image, in place of the run's own.
    pub image: Option<Located<String>>,
    /// When the kubelet asks a registry for the image; the run's own way when not given.
    pub pull_policy: Option<Located<PullPolicy>>,
}

/// Where an HTTP probe asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpProbe {
    /// The path.
    pub path: String,
    /// The port.
    pub port: u16,
}

/// Where a gRPC health probe asks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GrpcProbe {
    /// The port.
    pub port: u16,
    /// The service that is asked about; the server as a whole when not given.
    #[serde(default)]
    pub service: Option<String>,
}

/// A port that a TCP probe connects to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TcpProbe {
    /// The port.
    pub port: u16,
}

/// A probe: exactly one of its four kinds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProbeSettings {
    /// The path that is asked for on the pod's address.
    #[serde(default)]
    pub http_get: Option<HttpProbe>,
    /// A command in the container, with its arguments.
    #[serde(default)]
    pub exec: Option<Vec<String>>,
    /// A connection that is made to the pod's address.
    #[serde(default)]
    pub tcp_socket: Option<TcpProbe>,
    /// The health service that is asked on the pod's address.
    #[serde(default)]
    pub grpc: Option<GrpcProbe>,
    /// Between two probes, in whole seconds.
    pub period: TimeSpan,
    /// Failures in a row until the container is restarted.
    pub failure_threshold: i32,
}
