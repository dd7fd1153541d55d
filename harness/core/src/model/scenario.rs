//! A scenario: what is deployed, what is done, what must be seen. Data only.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admission::{AdmissionSpec, PodSecurity, PodSecurityStandard};
use super::contract::ContractSpec;
use super::endurance::EnduranceSpec;
use super::exposure::ExposureSpec;
use super::feature::Feature;
use super::image_procedures::{ProvenanceSpec, PullPolicy, PullSpec};
use super::located::Located;
use super::procedure::{
    DrainSpec, ExchangeSpec, FilesystemSpec, OutageSpec, RefusalSpec, SecrecySpec, StartupSpec,
};
use super::reload::ReloadSpec;
use super::rollout::RolloutSpec;
use super::timespan::TimeSpan;

/// The groups that scenarios are filed under.
pub const GROUPS: [&str; 11] = [
    "decisions",
    "bodies",
    "protocol",
    "failure",
    "startup",
    "drain",
    "filesystem",
    "response-data",
    "configuration",
    "contract",
    "performance",
];

/// A scenario with its name and where it was read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `<group>::<name>`, from the file's path.
    pub name: ScenarioName,
    /// The file, relative to the project's folder where it is inside.
    pub file: Utf8PathBuf,
    /// The file's text, for diagnostics.
    pub text: String,
    /// SHA-256 of the file and of every payload file that it names, lower-case hex.
    pub sha256: String,
    /// What the file says.
    pub spec: ScenarioFile,
    /// What is done.
    pub procedure: Procedure,
}

/// `<group>::<name>`.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct ScenarioName(String);

impl ScenarioName {
    /// Composes the name from the group's folder and the file's stem.
    pub fn new(group: &str, stem: &str) -> Self {
        Self(format!("{group}::{stem}"))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a folder below a run: `<group>/<name>`.
    pub fn as_folder(&self) -> String {
        self.0.replace("::", "/")
    }

    /// Returns the name as one word for a pod: `<group>-<name>`.
    pub fn as_word(&self) -> String {
        self.0.replace("::", "-")
    }
}

impl fmt::Display for ScenarioName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The text of a scenario file. Exactly one procedure is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScenarioFile {
    /// The id in the catalogue (`A02`), or `G01` and onwards for the guide's own claims.
    pub id: Located<String>,
    /// One sentence: what holds.
    pub summary: String,
    /// What fails in real life when it does not hold.
    pub why: String,
    /// Where the requirement comes from.
    #[serde(default)]
    pub references: Vec<String>,
    /// Whether every agent must pass, or only those with the features.
    #[serde(default)]
    pub level: Level,
    /// What the environment and the agent must be able to do.
    #[serde(default)]
    pub features: BTreeSet<Feature>,
    /// What is deployed.
    #[serde(default)]
    pub stack: StackSettings,
    /// Requests, each judged.
    #[serde(default)]
    pub exchange: Option<Located<ExchangeSpec>>,
    /// What many requests leave behind in the agent.
    #[serde(default)]
    pub endurance: Option<Located<EnduranceSpec>>,
    /// Requests while the agent is disturbed.
    #[serde(default)]
    pub outage: Option<Located<OutageSpec>>,
    /// A deployment that the agent must refuse.
    #[serde(default)]
    pub refusal: Option<Located<RefusalSpec>>,
    /// Attacks from the pod's first moment on.
    #[serde(default)]
    pub startup: Option<Located<StartupSpec>>,
    /// Requests while the pod is deleted.
    #[serde(default)]
    pub drain: Option<Located<DrainSpec>>,
    /// What the agent does to its file system.
    #[serde(default)]
    pub filesystem: Option<Located<FilesystemSpec>>,
    /// Requests while the agent's rules change.
    #[serde(default)]
    pub reload: Option<Located<ReloadSpec>>,
    /// Requests while a fleet of pods changes.
    #[serde(default)]
    pub rollout: Option<Located<RolloutSpec>>,
    /// Where the agent's keys show up.
    #[serde(default)]
    pub secrecy: Option<Located<SecrecySpec>>,
    /// The digest of each container's image.
    #[serde(default)]
    pub provenance: Option<Located<ProvenanceSpec>>,
    /// What the kubelet makes of the agent's image and its pull policy.
    #[serde(default)]
    pub pull: Option<Located<PullSpec>>,
    /// Which ports of the pod are open to others.
    #[serde(default)]
    pub exposure: Option<Located<ExposureSpec>>,
    /// Whether the cluster lets the pod in.
    #[serde(default)]
    pub admission: Option<Located<AdmissionSpec>>,
    /// Calls to the agent without a proxy, each judged.
    #[serde(default)]
    pub contract: Option<Located<ContractSpec>>,
}

/// The one procedure of a scenario.
#[derive(Clone, Debug)]
pub enum Procedure {
    /// Whether the cluster lets the pod in.
    Admission(AdmissionSpec),
    /// Calls to the agent without a proxy, each judged.
    Contract(ContractSpec),
    /// Requests while the pod is deleted.
    Drain(Box<DrainSpec>),
    /// What many requests leave behind in the agent.
    Endurance(Box<EnduranceSpec>),
    /// Requests, each judged.
    Exchange(Box<ExchangeSpec>),
    /// Which ports of the pod are open to others.
    Exposure(ExposureSpec),
    /// What the agent does to its file system.
    Filesystem(FilesystemSpec),
    /// Requests while the agent is disturbed.
    Outage(Box<OutageSpec>),
    /// The digest of each container's image.
    Provenance(ProvenanceSpec),
    /// What the kubelet makes of the agent's image and its pull policy.
    Pull(PullSpec),
    /// A deployment that the agent must refuse.
    Refusal(RefusalSpec),
    /// Requests while the agent's rules change.
    Reload(Box<ReloadSpec>),
    /// Requests while a fleet of pods changes.
    Rollout(Box<RolloutSpec>),
    /// Where the agent's keys show up.
    Secrecy(SecrecySpec),
    /// Attacks from the pod's first moment on.
    Startup(Box<StartupSpec>),
}

impl Procedure {
    /// Returns the name of the section that gives it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Admission(_) => "admission",
            Self::Contract(_) => "contract",
            Self::Drain(_) => "drain",
            Self::Endurance(_) => "endurance",
            Self::Exchange(_) => "exchange",
            Self::Exposure(_) => "exposure",
            Self::Filesystem(_) => "filesystem",
            Self::Outage(_) => "outage",
            Self::Provenance(_) => "provenance",
            Self::Pull(_) => "pull",
            Self::Refusal(_) => "refusal",
            Self::Reload(_) => "reload",
            Self::Rollout(_) => "rollout",
            Self::Secrecy(_) => "secrecy",
            Self::Startup(_) => "startup",
        }
    }
}

/// Whether every agent must pass a scenario.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Holds for any agent behind `ext_authz`.
    #[default]
    Core,
    /// Holds where the features are there.
    Extended,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Core => "core",
            Self::Extended => "extended",
        })
    }
}

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
