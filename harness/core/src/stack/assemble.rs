//! Puts a stack together: a manifest, a scenario's settings, a proxy configuration and keys.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, ExecAction, GRPCAction,
    HTTPGetAction, LifecycleHandler, PodSpec, Probe, SecretVolumeSource, SleepAction,
    TCPSocketAction, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::agent_pods::AgentPods;
use super::certificates::CERTIFICATES_SECRET;
use super::deployed::{DATA_LOG_PATH, DATA_LOG_VARIABLE};
use super::file_error::StackFileError;
use super::keys::AgentKeys;
use super::manifest::Manifest;
use super::pod_security::harden;
use super::proxy_config::ProxyConfig;
use super::{
    AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, PROXY_CONTAINER,
    Stack,
};
use crate::model::project::Project;
use crate::model::pull_policy::PullPolicy;
use crate::model::stack_settings::{
    AgentPlace, ContainerSettings, ProbeSettings, StackSettings, VolumeSettings,
};
use crate::model::terminating_endpoints::TerminatingEndpoints;

/// The key of the guide's secret that holds the access key.
pub const ACCESS_KEY: &str = "accesskeyid";
/// The key of the guide's secret that holds the secret key.
pub const SECRET_KEY: &str = "secretaccesskey";
/// Where the config map is mounted.
pub(super) const PROXY_CONFIG_FOLDER: &str = "/etc/envoy";

/// Arguments that the proxy gets besides those of the manifest, with the flag that stands for them.
///
/// Hot restart leaves files in shared memory and lets a second proxy fail; the default drain takes 600 s; the access log
/// is held back for 10 s.
const PROXY_ARGUMENTS: [&[&str]; 4] = [
    &["--disable-hot-restart"],
    &["--concurrency", "1"],
    &["--drain-time-s", "5"],
    &["--file-flush-interval-msec", "20"],
];

/// Settings that the user adds to every scenario's agent.
#[derive(Clone, Debug, Default)]
pub struct AgentOverrides {
    /// Environment variables that are set, after the scenario's own.
    pub variables: BTreeMap<String, String>,
}

impl AgentOverrides {
    /// Takes the agent's data log away.
    pub fn leave_out_data_log(&mut self) {
        self.variables
            .insert(DATA_LOG_VARIABLE.into(), String::new());
    }

    /// Returns whether they leave the agent its data log.
    pub fn keep_data_log(&self) -> bool {
        self.variables
            .get(DATA_LOG_VARIABLE)
            .is_none_or(|path| path == DATA_LOG_PATH)
    }
}

/// Puts the stack of a scenario together.
///
/// # Errors
///
/// When the manifest or the proxy configuration cannot be used.
pub fn assemble(
    project: &Project,
    settings: &StackSettings,
    keys: &AgentKeys,
    overrides: &AgentOverrides,
) -> Result<Stack, StackFileError> {
    let manifest_path = project
        .manifests
        .join(format!("{}.yaml", *settings.manifest));
    let config_path = project
        .envoy_configs
        .join(format!("{}.yaml", *settings.envoy));
    let mut pod = Manifest::read(&manifest_path)?.pod;
    let config = ProxyConfig::read(&config_path)?;

    if let Some(proxy) = find(&mut pod, PROXY_CONTAINER) {
        apply(proxy, &settings.front_proxy);
        prepare_proxy(proxy);
    }
    if let Some(security) = &settings.pod_security {
        harden(&mut pod, **security);
    }
    for (name, volume) in &settings.volumes {
        set_volume(&mut pod, name, volume);
    }
    pod.volumes
        .get_or_insert_default()
        .push(proxy_config_volume());
    if let Some(application) = find(&mut pod, APPLICATION_CONTAINER) {
        apply(application, &settings.application);
    }
    if let Some(agent) = find(&mut pod, AGENT_CONTAINER) {
        prepare_agent(agent, settings, overrides);
        apply(agent, &settings.agent);
    }
    if let Some(order) = &settings.start_order {
        pod.containers
            .sort_by_key(|container| order.iter().position(|name| *name == container.name));
    }
    match *settings.agent_place {
        AgentPlace::Main | AgentPlace::Service => {}
        AgentPlace::NativeSidecar => make_sidecar(&mut pod, AGENT_CONTAINER),
    }
    if let Some(grace) = &settings.grace_period {
        pod.termination_grace_period_seconds = i64::try_from(grace.as_duration().as_secs()).ok();
    }

    let mut secrets: BTreeMap<_, _> = referenced_secrets(&pod)
        .into_iter()
        .map(|name| {
            let values = BTreeMap::from([
                (ACCESS_KEY.to_owned(), keys.access_key.clone()),
                (SECRET_KEY.to_owned(), keys.secret_key.clone()),
            ]);
            (name, values)
        })
        .collect();
    if let Some(folder) = &settings.certificates_at {
        mount_certificates(&mut pod, folder);
        let files = keys.certificates.files();
        let files = files.map(|(name, content)| (name.to_owned(), content));
        secrets.insert(CERTIFICATES_SECRET.into(), BTreeMap::from(files));
    }
    let files = BTreeMap::from([(PROXY_CONFIG_FILE.to_owned(), config.text.to_string())]);
    let agents = match *settings.agent_place {
        AgentPlace::Main | AgentPlace::NativeSidecar => None,
        AgentPlace::Service => {
            let replicas = settings.agent_replicas.as_ref();
            AgentPods::take_from(&mut pod, replicas.map_or(1, |replicas| **replicas))
        }
    };
    Ok(Stack {
        pod,
        agents,
        pull_policies: pull_policies(settings),
        own_images: BTreeSet::new(),
        namespace_enforces: settings
            .namespace_enforces
            .as_ref()
            .map(|standard| **standard),
        terminating_endpoints: TerminatingEndpoints::default(),
        config_maps: BTreeMap::from([(PROXY_CONFIG_MAP.to_owned(), files)]),
        secrets,
    })
}

fn pull_policies(settings: &StackSettings) -> BTreeMap<String, PullPolicy> {
    [
        (AGENT_CONTAINER, &settings.agent),
        (PROXY_CONTAINER, &settings.front_proxy),
        (APPLICATION_CONTAINER, &settings.application),
    ]
    .into_iter()
    .filter_map(|(name, settings)| Some((name.to_owned(), **settings.pull_policy.as_ref()?)))
    .collect()
}

fn find<'a>(pod: &'a mut PodSpec, name: &str) -> Option<&'a mut Container> {
    pod.containers
        .iter_mut()
        .find(|container| container.name == name)
}

/// Makes a container a native sidecar: an init container that restarts always (Kubernetes 1.29 and later).
fn make_sidecar(pod: &mut PodSpec, name: &str) {
    if let Some(position) = pod
        .containers
        .iter()
        .position(|container| container.name == name)
    {
        let mut container = pod.containers.remove(position);
        container.restart_policy = Some("Always".into());
        pod.init_containers.get_or_insert_default().push(container);
    }
}

fn set_volume(pod: &mut PodSpec, name: &str, settings: &VolumeSettings) {
    let volumes = pod.volumes.get_or_insert_default();
    volumes.retain(|volume| volume.name != name);
    volumes.push(Volume {
        name: name.into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: settings.size_limit.clone().map(Quantity),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    });
}

fn prepare_proxy(proxy: &mut Container) {
    let arguments = proxy.args.get_or_insert_default();
    for addition in PROXY_ARGUMENTS {
        if !arguments.iter().any(|argument| argument == addition[0]) {
            arguments.extend(addition.iter().map(|word| (*word).to_owned()));
        }
    }
    proxy
        .volume_mounts
        .get_or_insert_default()
        .push(VolumeMount {
            name: PROXY_CONFIG_MAP.into(),
            mount_path: PROXY_CONFIG_FOLDER.into(),
            read_only: Some(true),
            ..VolumeMount::default()
        });
}

fn mount_certificates(pod: &mut PodSpec, folder: &str) {
    for name in [PROXY_CONTAINER, AGENT_CONTAINER] {
        let mounts =
            find(pod, name).map(|container| container.volume_mounts.get_or_insert_default());
        if let Some(mounts) = mounts {
            mounts.push(VolumeMount {
                name: CERTIFICATES_SECRET.into(),
                mount_path: folder.into(),
                read_only: Some(true),
                ..VolumeMount::default()
            });
        }
    }
    pod.volumes.get_or_insert_default().push(Volume {
        name: CERTIFICATES_SECRET.into(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(CERTIFICATES_SECRET.into()),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    });
}

fn proxy_config_volume() -> Volume {
    Volume {
        name: PROXY_CONFIG_MAP.into(),
        config_map: Some(ConfigMapVolumeSource {
            name: PROXY_CONFIG_MAP.into(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Makes the agent testify, and applies the scenario's and the user's settings, the user's last.
fn prepare_agent(agent: &mut Container, settings: &StackSettings, overrides: &AgentOverrides) {
    let variables = agent.env.get_or_insert_default();
    for (name, value) in [
        (DATA_LOG_VARIABLE, DATA_LOG_PATH),
        ("SIGSCI_WAF_DATA_LOG_ALL", "true"),
    ] {
        set(variables, name, value);
    }
    for (name, value) in settings.agent_env.iter().chain(&overrides.variables) {
        set(variables, name, value);
    }
    variables.retain(|variable| {
        !settings
            .agent_env_removed
            .iter()
            .any(|removed| **removed == variable.name)
    });
}

fn set(variables: &mut Vec<EnvVar>, name: &str, value: &str) {
    variables.retain(|variable| variable.name != name);
    variables.push(EnvVar {
        name: name.into(),
        value: Some(value.into()),
        value_from: None,
    });
}

fn apply(container: &mut Container, settings: &ContainerSettings) {
    if let Some(probe) = &settings.startup_probe {
        container.startup_probe = Some(kubernetes_probe(probe));
    }
    if let Some(probe) = &settings.readiness_probe {
        container.readiness_probe = Some(kubernetes_probe(probe));
    }
    if let Some(command) = &settings.pre_stop_exec {
        let hook = LifecycleHandler {
            exec: Some(ExecAction {
                command: Some(command.clone()),
            }),
            ..LifecycleHandler::default()
        };
        container.lifecycle.get_or_insert_default().pre_stop = Some(hook);
    }
    if let Some(sleep) = &settings.pre_stop_sleep {
        let hook = LifecycleHandler {
            sleep: Some(SleepAction {
                seconds: i64::try_from(sleep.as_duration().as_secs()).unwrap_or(i64::MAX),
            }),
            ..LifecycleHandler::default()
        };
        container.lifecycle.get_or_insert_default().pre_stop = Some(hook);
    }
    if !settings.arguments.is_empty() {
        let arguments = container.args.get_or_insert_default();
        arguments.extend(settings.arguments.iter().cloned());
    }
    for (volume, path) in &settings.mounts {
        let mounts = container.volume_mounts.get_or_insert_default();
        mounts.retain(|mount| mount.name != *volume);
        mounts.push(VolumeMount {
            name: volume.clone(),
            mount_path: path.clone(),
            ..VolumeMount::default()
        });
    }
    if let Some(limit) = &settings.memory_limit {
        let limits = container.resources.get_or_insert_default();
        let limits = limits.limits.get_or_insert_default();
        limits.insert("memory".into(), Quantity(limit.value.clone()));
    }
    if let Some(image) = &settings.image {
        container.image = Some(image.value.clone());
    }
    if let Some(read_only) = settings.read_only_root {
        container
            .security_context
            .get_or_insert_default()
            .read_only_root_filesystem = Some(read_only);
    }
}

fn kubernetes_probe(settings: &ProbeSettings) -> Probe {
    Probe {
        http_get: settings.http_get.as_ref().map(|http| HTTPGetAction {
            path: Some(http.path.clone()),
            port: IntOrString::Int(i32::from(http.port)),
            ..HTTPGetAction::default()
        }),
        exec: settings.exec.as_ref().map(|command| ExecAction {
            command: Some(command.clone()),
        }),
        tcp_socket: settings.tcp_socket.as_ref().map(|tcp| TCPSocketAction {
            port: IntOrString::Int(i32::from(tcp.port)),
            ..TCPSocketAction::default()
        }),
        grpc: settings.grpc.as_ref().map(|grpc| GRPCAction {
            port: i32::from(grpc.port),
            service: grpc.service.clone(),
            ..GRPCAction::default()
        }),
        period_seconds: i32::try_from(settings.period.as_duration().as_secs()).ok(),
        failure_threshold: Some(settings.failure_threshold),
        ..Probe::default()
    }
}

fn referenced_secrets(pod: &PodSpec) -> BTreeSet<String> {
    pod.containers
        .iter()
        .chain(pod.init_containers.iter().flatten())
        .flat_map(|container| container.env.iter().flatten())
        .filter_map(|variable| variable.value_from.as_ref()?.secret_key_ref.as_ref())
        .map(|reference| reference.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    fn assembled(settings: &StackSettings, overrides: &AgentOverrides) -> Stack {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let keys = AgentKeys::invent().expect("random bytes");
        assemble(&Project::at(&root), settings, &keys, overrides).expect("shipped")
    }

    fn default_stack() -> Stack {
        assembled(&StackSettings::default(), &AgentOverrides::default())
    }

    #[test]
    fn the_proxy_is_kept_from_hot_restart_long_drains_and_late_logs() {
        let stack = default_stack();
        let arguments = stack
            .container(PROXY_CONTAINER)
            .and_then(|proxy| proxy.args.clone())
            .expect("arguments")
            .join(" ");
        for wanted in [
            "-c /etc/envoy/envoy.yaml --service-cluster front-proxy -l info",
            "--disable-hot-restart",
            "--drain-time-s 5",
            "--file-flush-interval-msec 20",
        ] {
            assert!(arguments.contains(wanted), "{wanted}: {arguments}");
        }
    }

    #[test]
    fn keys_are_references_to_the_guides_secret_and_never_values() {
        let stack = default_stack();
        assert!(stack.secrets.contains_key("sigsci.my-site-name-here"));
        assert_eq!(stack.agent_variable("SIGSCI_SECRETACCESSKEY"), None);
        let shown = serde_json::to_string(&stack.pod).expect("JSON");
        let keys = &stack.secrets["sigsci.my-site-name-here"];
        for key in keys.values() {
            assert!(!shown.contains(key.reveal()));
        }
    }

    #[test]
    fn certificates_are_mounted_in_proxy_and_agent_from_a_secret() {
        let settings = StackSettings {
            certificates_at: Some(crate::model::located::Located::unwritten("/tls".into())),
            ..StackSettings::default()
        };
        let stack = assembled(&settings, &AgentOverrides::default());
        for name in [PROXY_CONTAINER, AGENT_CONTAINER] {
            let container = stack.container(name).expect("the container");
            let mounted = container
                .volume_mounts
                .iter()
                .flatten()
                .any(|mount| mount.name == CERTIFICATES_SECRET && mount.mount_path == "/tls");
            assert!(mounted, "{name}");
        }
        let secret = &stack.secrets[CERTIFICATES_SECRET];
        assert_eq!(
            secret.keys().map(String::as_str).collect::<Vec<_>>(),
            ["ca.crt", "stranger-ca.crt", "tls.crt", "tls.key"]
        );
        assert!(!default_stack().secrets.contains_key(CERTIFICATES_SECRET));
    }

    #[test]
    fn the_users_variables_win_over_the_scenarios_and_removed_ones_are_gone() {
        let settings = StackSettings {
            agent_env: BTreeMap::from([("A".into(), "scenario".into())]),
            agent_env_removed: vec![crate::model::located::Located::unwritten(
                "SIGSCI_ACCESSKEYID".into(),
            )],
            ..StackSettings::default()
        };
        let overrides = AgentOverrides {
            variables: BTreeMap::from([("A".into(), "user".into())]),
        };
        let stack = assembled(&settings, &overrides);
        assert_eq!(stack.agent_variable("A"), Some("user"));
        let agent = stack.container(AGENT_CONTAINER).expect("the agent");
        let named = |name: &str| {
            agent
                .env
                .iter()
                .flatten()
                .any(|variable| variable.name == name)
        };
        assert!(!named("SIGSCI_ACCESSKEYID"));
        assert!(named("SIGSCI_SECRETACCESSKEY"));
    }
}
