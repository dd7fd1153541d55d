//! The pod of a benchmark: the application once, an agent for each arm that asks one, and the proxies.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvVar, PodSpec, Volume, VolumeMount,
};

use super::agent_way::{self, AgentWay, SOCKETS_FOLDER};
use super::arm::Arm;
use super::error::BenchError;
use super::proxies::ProxyChoice;
use super::proxy::{Wanted, for_arms};
use harness_artifacts::image::HARNESS_IMAGE;
use harness_core::corpus::random::Random;
use harness_core::model::digest::sha256;
use harness_core::model::located::Located;
use harness_core::model::project::Project;
use harness_core::model::stack_settings::StackSettings;
use harness_core::stack::assemble::{AgentOverrides, assemble};
use harness_core::stack::keys::AgentKeys;
use harness_core::stack::manifest::Manifest;
use harness_core::stack::proxy_config::ProxyConfig;
use harness_core::stack::{AGENT_CONTAINER, PROXY_CONFIG_MAP, PROXY_CONTAINER, Stack};

/// The argument by which the harness's executable is the null agent.
pub const NULL_AGENT_ARGUMENT: &str = "null-agent";
/// The image of the candidate, where it is another executable.
pub const CANDIDATE_IMAGE: &str = "conformance.local/candidate";

/// What the names of the settings of the agent's data log begin with.
const DATA_LOG_VARIABLES: &str = "SIGSCI_WAF_DATA_LOG";

/// Returns whether a benchmark itself sets a variable of its agents, whatever is asked for.
pub fn is_fixed(variable: &str) -> bool {
    agent_way::VARIABLES.contains(&variable) || variable.starts_with(DATA_LOG_VARIABLES)
}

/// The volume of the agents' sockets.
const SOCKETS_VOLUME: &str = "conformance-agents";

/// What an agent under measurement is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// Its environment variables beyond those of the manifest.
    pub variables: BTreeMap<String, String>,
    /// What it is.
    pub program: Program,
    /// The proxy before it.
    pub proxy: ProxyChoice,
}

/// The program of an agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Program {
    /// That of the manifest, or what takes its place in the whole run.
    OfRun,
    /// Another image.
    Image(String),
    /// The null agent, which the harness's own image holds.
    Null,
}

/// What a benchmark deploys.
#[derive(Clone, Debug)]
pub struct BenchStack {
    /// The baseline; what stands before the null agent is its proxy.
    pub a: Subject,
    /// The candidate.
    pub b: Subject,
}

/// The proxies' configurations.
#[derive(Clone, Debug, Default)]
pub struct Configurations {
    /// The digest of each one's text as it was read, by its name.
    pub digests: BTreeMap<String, String>,
    /// The most of a processor that a container of the manifest may take, by container.
    pub processor_limits: BTreeMap<String, String>,
    /// As they are deployed, by file.
    files: BTreeMap<String, String>,
    /// How the agent of each arm is reached.
    ways: BTreeMap<Arm, AgentWay>,
    /// Where all have their certificates; none where all speak in the clear.
    certificates_at: Option<String>,
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
        let Configurations {
            files,
            ways,
            certificates_at,
            ..
        } = self.configurations(project)?;
        let settings = StackSettings {
            envoy: Located::unwritten(self.a.proxy.config.clone()),
            certificates_at: certificates_at.map(Located::unwritten),
            ..StackSettings::default()
        };
        let mut stack = assemble(project, &settings, keys, overrides)?;
        stack
            .config_maps
            .entry(PROXY_CONFIG_MAP.into())
            .or_default()
            .extend(files);
        add_agents(&mut stack.pod, self, &ways, &mut stack.own_images);
        add_proxies(&mut stack.pod, self);
        if ways.values().any(AgentWay::needs_a_volume) {
            share_sockets(&mut stack.pod);
        }
        Random::new(generation, "order of the containers").shuffle(&mut stack.pod.containers);
        Ok(stack)
    }

    /// Reads the configurations of the proxies and makes those of the pod of them.
    ///
    /// # Errors
    ///
    /// When one cannot be read or measured.
    pub fn configurations(&self, project: &Project) -> Result<Configurations, BenchError> {
        let mut configurations = Configurations {
            processor_limits: processor_limits(project)?,
            ..Configurations::default()
        };
        for proxy in self.proxies() {
            let name = &proxy.choice.config;
            let path = project.envoy_configs.join(format!("{name}.yaml"));
            let config = ProxyConfig::read(&path)?;
            let wanted = Wanted {
                name,
                arms: proxy.arms,
                admin_port: proxy.admin_port(),
            };
            let (rendered, way) = for_arms(&config.to_json(), wanted)?;
            configurations
                .digests
                .insert(name.clone(), sha256(config.text.as_bytes()));
            configurations
                .files
                .insert(proxy.file(), rendered.to_string());
            configurations
                .ways
                .extend(proxy.arms.iter().map(|arm| (*arm, way.clone())));
        }
        configurations.certificates_at = certificates_at(&configurations.ways)?;
        Ok(configurations)
    }
}

fn processor_limits(project: &Project) -> Result<BTreeMap<String, String>, BenchError> {
    let manifest = StackSettings::default().manifest;
    let manifest = Manifest::read(&project.manifests.join(format!("{}.yaml", *manifest)))?;
    let limit = |container: Container| {
        let limit = container.resources?.limits?.remove("cpu")?;
        Some((container.name, limit.0))
    };
    Ok(manifest
        .pod
        .containers
        .into_iter()
        .filter_map(limit)
        .collect())
}

/// Returns where all proxies and agents have their certificates; none where all speak in the clear.
fn certificates_at(ways: &BTreeMap<Arm, AgentWay>) -> Result<Option<String>, BenchError> {
    let mut folders: Vec<&String> = ways
        .values()
        .filter_map(|way| way.certificates_at.as_ref())
        .collect();
    folders.dedup();
    match &folders[..] {
        [] => Ok(None),
        [folder] => Ok(Some((*folder).clone())),
        [a, b, ..] => Err(BenchError::CertificateFolders {
            folders: [(*a).clone(), (*b).clone()],
        }),
    }
}

/// Puts an agent for each arm in the place of the one that the manifest has.
fn add_agents(
    pod: &mut PodSpec,
    bench: &BenchStack,
    ways: &BTreeMap<Arm, AgentWay>,
    own_images: &mut BTreeSet<String>,
) {
    let Some(position) = pod
        .containers
        .iter()
        .position(|container| container.name == AGENT_CONTAINER)
    else {
        return;
    };
    let agent = pod.containers.remove(position);
    let null = Subject {
        program: Program::Null,
        variables: BTreeMap::new(),
        proxy: bench.a.proxy.clone(),
    };
    for (&arm, way) in ways.iter().filter(|(arm, _)| arm.asks()) {
        let subject = match arm {
            Arm::A | Arm::AAgain => &bench.a,
            Arm::B => &bench.b,
            Arm::Absent | Arm::Disabled | Arm::Null => &null,
        };
        if matches!(subject.program, Program::Image(_)) {
            own_images.insert(arm.name().to_owned());
        }
        let container = agent_of(
            arm,
            &agent,
            subject,
            way,
            pod.volumes.get_or_insert_default(),
        );
        pod.containers.push(container);
    }
}

/// Puts the proxies in the place of the one that the manifest has.
fn add_proxies(pod: &mut PodSpec, bench: &BenchStack) {
    let containers = pod.containers.iter();
    if let Some(position) = { containers }.position(|container| container.name == PROXY_CONTAINER) {
        let proxy = pod.containers.remove(position);
        let proxies = bench.proxies().into_iter();
        pod.containers
            .extend(proxies.map(|own| own.container_of(&proxy)));
    }
}

/// Gives every container a folder for the agents' sockets: those of proxies and agents meet in it.
fn share_sockets(pod: &mut PodSpec) {
    pod.volumes.get_or_insert_default().push(Volume {
        name: SOCKETS_VOLUME.into(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    });
    for container in &mut pod.containers {
        container
            .volume_mounts
            .get_or_insert_default()
            .push(VolumeMount {
                name: SOCKETS_VOLUME.into(),
                mount_path: SOCKETS_FOLDER.into(),
                ..VolumeMount::default()
            });
    }
}

fn agent_of(
    arm: Arm,
    agent: &Container,
    subject: &Subject,
    way: &AgentWay,
    volumes: &mut Vec<Volume>,
) -> Container {
    let mut container = agent.clone();
    container.name = arm.name().into();
    match &subject.program {
        Program::OfRun => {}
        Program::Image(image) => container.image = Some(image.clone()),
        Program::Null => {
            container.image = Some(HARNESS_IMAGE.into());
            container.command = None;
            container.args = Some(vec![NULL_AGENT_ARGUMENT.into()]);
        }
    }
    container.ports = None;
    // They ask the port of the manifest.
    container.startup_probe = None;
    container.readiness_probe = None;
    container.liveness_probe = None;
    let variables = container.env.get_or_insert_default();
    // The suite's own witness: nothing reads it here, and a line for each request is no cost of the agent's.
    variables.retain(|variable| !variable.name.starts_with(DATA_LOG_VARIABLES));
    let own = subject
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let listening = way.variables(arm);
    let listening = { listening.iter() }.map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain(listening) {
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
