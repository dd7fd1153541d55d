//! Everything that an environment needs to bring up one pod.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::agent_pods::AgentPods;
use super::proxy_config::ProxyConfig;
use super::secret::SecretText;
use super::tap::TAP_ID;
use crate::model::container::AGENT_CONTAINER;
use crate::model::pod_security::PodSecurityStandard;
use crate::model::pull_policy::PullPolicy;
use crate::model::terminating_endpoints::TerminatingEndpoints;

/// The port on which the proxy takes requests.
pub const PROXY_PORT: u16 = 8000;
/// The port of the proxy's admin endpoint, on the pod's loopback address.
pub const ADMIN_PORT: u16 = 9901;

/// The header by which a request is a deliverability control, and its value: the proxy sends it to the application past the agent.
pub const CONTROL_HEADER: (&str, &str) = ("x-conformance-control", "deliverability");

/// The config map that holds the proxy's configuration.
pub const PROXY_CONFIG_MAP: &str = "envoy-config";

/// The file in it; the guide's arguments name it.
pub const PROXY_CONFIG_FILE: &str = "envoy.yaml";

/// The variable that names the file of the agent's data log.
pub(super) const DATA_LOG_VARIABLE: &str = "SIGSCI_WAF_DATA_LOG";

/// Where the suite reads it: among the agent's output.
pub(super) const DATA_LOG_PATH: &str = "/dev/stdout";

/// The grace period that Kubernetes gives a pod that names none.
const DEFAULT_GRACE_PERIOD_SECONDS: u64 = 30;

/// Everything that an environment needs to bring up one pod.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The pod, as Kubernetes would be given it.
    pub pod: PodSpec,
    /// The agents, where they are in pods of their own.
    pub agents: Option<AgentPods>,
    /// When the kubelet looks for a container's image, by container, where the scenario says so.
    pub pull_policies: BTreeMap<String, PullPolicy>,
    /// Containers that run the image that they name: nothing takes its place, though it bears the name of one of the guide's.
    pub own_images: BTreeSet<String>,
    /// The Pod Security Standard that the pod's namespace enforces.
    pub namespace_enforces: Option<PodSecurityStandard>,
    /// What `local` rehearses for the Service once the pod is being deleted; a cluster does what it does.
    pub terminating_endpoints: TerminatingEndpoints,
    /// Config maps by name; each a map from file name to content.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Secrets by name; each a map from key to value.
    pub secrets: BTreeMap<String, BTreeMap<String, SecretText>>,
}

impl Stack {
    /// Returns the pod's containers in the order in which they are started, native sidecars first.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        let sidecars = self.pod.init_containers.iter().flatten();
        sidecars.chain(&self.pod.containers)
    }

    /// Returns a container of the pod, or of the agents' pods.
    pub fn container(&self, name: &str) -> Option<&Container> {
        let agents = self.agents.iter().flat_map(|agents| &agents.pod.containers);
        let mut all = self.containers().chain(agents);
        all.find(|container| container.name == name)
    }

    /// Returns the name by which each agent goes.
    pub fn agent_names(&self) -> Vec<String> {
        let replicas = self.agents.as_ref().map_or(1, |agents| agents.replicas);
        (0..replicas).map(AgentPods::name_of).collect()
    }

    /// Returns the value of one of the agent's environment variables that is written out in the pod.
    pub fn agent_variable(&self, name: &str) -> Option<&str> {
        self.container(AGENT_CONTAINER)?
            .env
            .iter()
            .flatten()
            .find(|variable| variable.name == name)?
            .value
            .as_deref()
    }

    /// Returns the secrets that are mounted in a container, each with its folder there.
    pub fn mounted_secrets<'a>(
        &'a self,
        container: &'a Container,
    ) -> impl Iterator<Item = (&'a str, &'a BTreeMap<String, SecretText>)> {
        container
            .volume_mounts
            .iter()
            .flatten()
            .filter_map(|mount| {
                let volumes = self.pod.volumes.iter().flatten();
                let volume = { volumes }.find(|volume| volume.name == mount.name)?;
                let name = volume.secret.as_ref()?.secret_name.as_ref()?;
                Some((mount.mount_path.as_str(), self.secrets.get(name)?))
            })
    }

    /// Returns the pod's grace period in seconds.
    pub fn grace_period_seconds(&self) -> u64 {
        self.pod
            .termination_grace_period_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or(DEFAULT_GRACE_PERIOD_SECONDS)
    }

    /// Returns whether the agent logs its decisions where the suite reads them.
    pub fn agent_keeps_data_log(&self) -> bool {
        self.agent_variable(DATA_LOG_VARIABLE) == Some(DATA_LOG_PATH)
    }

    /// Puts a tap around the proxy's sockets to the agent, where one can be put.
    pub fn tap(&mut self, config: &ProxyConfig) {
        let files = self.config_maps.get_mut(PROXY_CONFIG_MAP);
        let deployed = files.and_then(|files| files.get_mut(PROXY_CONFIG_FILE));
        if let (Some(deployed), Some(tapped)) = (deployed, config.tapped()) {
            *deployed = tapped;
        }
    }

    /// Returns whether the proxy's sockets to the agent have a tap.
    pub fn is_tapped(&self) -> bool {
        self.proxy_config()
            .is_some_and(|config| config.contains(TAP_ID))
    }

    /// Returns the proxy's configuration.
    pub fn proxy_config(&self) -> Option<&str> {
        self.config_maps
            .get(PROXY_CONFIG_MAP)?
            .get(PROXY_CONFIG_FILE)
            .map(String::as_str)
    }
}
