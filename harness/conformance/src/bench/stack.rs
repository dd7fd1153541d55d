//! The pod of a benchmark: Envoy and the application once, and an agent for each arm that asks one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume};

use super::arm::Arm;
use super::error::BenchError;
use super::proxy;
use harness_core::corpus::random::Random;
use harness_core::model::container::AGENT_ADDRESS_VARIABLE;
use harness_core::model::located::Located;
use harness_core::model::project::Project;
use harness_core::model::stack_settings::StackSettings;
use harness_core::stack::assemble::{AgentOverrides, assemble};
use harness_core::stack::keys::AgentKeys;
use harness_core::stack::proxy_config::ProxyConfig;
use harness_core::stack::{AGENT_CONTAINER, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, Stack};

/// The image of the null agent, as a pod of `local` names it.
pub const NULL_IMAGE: &str = "conformance.local/null-agent";
/// The image of the candidate, where it is another executable.
pub const CANDIDATE_IMAGE: &str = "conformance.local/candidate";

/// What the names of the settings of the agent's data log begin with.
const DATA_LOG_VARIABLES: &str = "SIGSCI_WAF_DATA_LOG";

/// Returns whether a benchmark itself sets a variable of its agents, whatever is asked for.
pub fn is_fixed(variable: &str) -> bool {
    variable == AGENT_ADDRESS_VARIABLE || variable.starts_with(DATA_LOG_VARIABLES)
}

/// What an agent under measurement is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// Its environment variables beyond those of the manifest.
    pub variables: BTreeMap<String, String>,
    /// Its image; that of the manifest when not given.
    pub image: Option<&'static str>,
}

/// What a benchmark deploys.
#[derive(Clone, Debug)]
pub struct BenchStack {
    /// The proxy configuration, by its name.
    pub config: String,
    /// The baseline.
    pub a: Subject,
    /// The candidate.
    pub b: Subject,
}

impl BenchStack {
    /// Puts the pod of a generation together. The containers' order is drawn anew for each: what is started first has its luck with memory and
    /// processors.
    ///
    /// # Errors
    ///
    /// When the manifest or the proxy's configuration cannot be used.
    pub fn assemble(
        &self,
        project: &Project,
        keys: &AgentKeys,
        overrides: &AgentOverrides,
        generation: u64,
    ) -> Result<Stack, BenchError> {
        let settings = StackSettings {
            envoy: Located::unwritten(self.config.clone()),
            ..StackSettings::default()
        };
        let mut stack = assemble(project, &settings, keys, overrides)?;
        let path = project.envoy_configs.join(format!("{}.yaml", self.config));
        let config = ProxyConfig::read(&path)?;
        let rendered = proxy::for_arms(&config.to_json(), &self.config)?;
        let files = stack
            .config_maps
            .entry(PROXY_CONFIG_MAP.into())
            .or_default();
        files.insert(PROXY_CONFIG_FILE.into(), rendered.to_string());
        add_agents(&mut stack.pod, self, generation);
        Ok(stack)
    }
}

/// Puts an agent for each arm in the place of the one that the manifest has.
fn add_agents(pod: &mut PodSpec, bench: &BenchStack, generation: u64) {
    let Some(position) = pod
        .containers
        .iter()
        .position(|container| container.name == AGENT_CONTAINER)
    else {
        return;
    };
    let agent = pod.containers.remove(position);
    for arm in Arm::ALL.into_iter().filter(|arm| arm.asks()) {
        let subject = match arm {
            Arm::A | Arm::AAgain => &bench.a,
            Arm::B => &bench.b,
            Arm::Absent | Arm::Disabled | Arm::Null => &Subject {
                image: Some(NULL_IMAGE),
                variables: BTreeMap::new(),
            },
        };
        let container = agent_of(arm, &agent, subject, pod.volumes.get_or_insert_default());
        pod.containers.push(container);
    }
    Random::new(generation, "order of the containers").shuffle(&mut pod.containers);
}

fn agent_of(
    arm: Arm,
    agent: &Container,
    subject: &Subject,
    volumes: &mut Vec<Volume>,
) -> Container {
    let mut container = agent.clone();
    container.name = arm.name().into();
    if let Some(image) = subject.image {
        container.image = Some(image.into());
    }
    container.ports = None;
    // They ask the port of the manifest.
    container.startup_probe = None;
    container.readiness_probe = None;
    container.liveness_probe = None;
    let address = format!("localhost:{}", arm.agent_port());
    let variables = container.env.get_or_insert_default();
    // The suite's own witness: nothing reads it here, and a line for each request is no cost of the agent's.
    variables.retain(|variable| !variable.name.starts_with(DATA_LOG_VARIABLES));
    let own = subject
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in own.chain([(AGENT_ADDRESS_VARIABLE, address.as_str())]) {
        variables.retain(|variable| variable.name != name);
        variables.push(EnvVar {
            name: name.into(),
            value: Some(value.into()),
            value_from: None,
        });
    }
    // What an agent writes is its own: two of them in one folder would meet.
    for mount in container.volume_mounts.iter_mut().flatten() {
        let shared = volumes.iter().find(|volume| volume.name == mount.name);
        if let Some(volume) = shared.filter(|volume| volume.empty_dir.is_some()).cloned() {
            mount.name = format!("{}-{arm}", volume.name);
            volumes.push(Volume {
                name: mount.name.clone(),
                ..volume
            });
        }
    }
    container
}
