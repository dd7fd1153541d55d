//! What the suite needs of a manifest, in whatever environment it is deployed, checked before anything is started.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::assemble::{ACCESS_KEY, PROXY_CONFIG_FOLDER, SECRET_KEY};
use super::certificates::CERTIFICATES_SECRET;
use super::manifest::Manifest;
use super::{
    AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, PROXY_CONTAINER,
};
use crate::model::complaints::Complaints;

/// The containers that the suite speaks of, and what each is.
const CONTAINERS: [(&str, &str); 3] = [
    (PROXY_CONTAINER, "the proxy"),
    (APPLICATION_CONTAINER, "the application"),
    (AGENT_CONTAINER, "the agent"),
];

/// Volumes that the suite adds.
const OWN_VOLUMES: [&str; 2] = [PROXY_CONFIG_MAP, CERTIFICATES_SECRET];

/// Complains of everything that keeps a stack from being made of a manifest.
pub(super) fn check(manifest: &Manifest, complaints: &mut Complaints<'_>) {
    check_names(manifest, complaints);
    check_volumes(manifest, complaints);
    for (path, container) in containers(&manifest.pod) {
        check_keys(manifest, &path, container, complaints);
        if container.name == PROXY_CONTAINER {
            check_proxy(manifest, &path, container, complaints);
        }
    }
}

fn check_names(manifest: &Manifest, complaints: &mut Complaints<'_>) {
    let pod = &manifest.pod;
    for (name, what) in CONTAINERS {
        let is_named = |container: &Container| container.name == name;
        if pod.containers.iter().any(is_named) {
            continue;
        }
        let mut starters = pod.init_containers.iter().flatten();
        if let Some(position) = starters.position(is_named) {
            complaints.add(
                manifest.place_of(&format!("initContainers[{position}].name")),
                format!("the container `{name}` is not below `containers`"),
                "write it there; a scenario makes a native sidecar of the agent by `agent-place: native-sidecar`",
            );
        } else {
            complaints.add(
                manifest.place_of("containers"),
                format!("the pod has no container `{name}`"),
                format!("name the container of {what} so: `name: {name}`"),
            );
        }
    }
}

/// The suite mounts the proxy's configuration where the guide's arguments look for it.
fn check_proxy(
    manifest: &Manifest,
    path: &str,
    proxy: &Container,
    complaints: &mut Complaints<'_>,
) {
    let file = format!("{PROXY_CONFIG_FOLDER}/{PROXY_CONFIG_FILE}");
    let mut words = proxy.command.iter().chain(&proxy.args).flatten();
    // A reference to a variable may come to anything.
    if !words.any(|word| word.contains(&file) || word.contains("$(")) {
        complaints.add(
            manifest.place_of(&format!("{path}.args")),
            format!("the proxy does not read {file}, where its configuration is mounted"),
            format!("write `args: [-c, {file}]`"),
        );
    }
    for (position, mount) in proxy.volume_mounts.iter().flatten().enumerate() {
        if mount.mount_path.trim_end_matches('/') == PROXY_CONFIG_FOLDER {
            complaints.add(
                manifest.place_of(&format!("{path}.volumeMounts[{position}].mountPath")),
                format!("another volume is mounted at {PROXY_CONFIG_FOLDER}"),
                "take the mount out: the suite mounts the configuration of `--envoy-configs` there",
            );
        }
    }
}

fn check_volumes(manifest: &Manifest, complaints: &mut Complaints<'_>) {
    let secrets = key_secrets(&manifest.pod);
    for (position, volume) in manifest.pod.volumes.iter().flatten().enumerate() {
        let path = format!("volumes[{position}]");
        if OWN_VOLUMES.contains(&volume.name.as_str()) {
            complaints.add(
                manifest.place_of(&format!("{path}.name")),
                format!("the suite adds a volume `{}` itself", volume.name),
                "take the volume out, or give it another name",
            );
            continue;
        }
        if let Some(map) = &volume.config_map
            && map.optional != Some(true)
        {
            complaints.add(
                manifest.place_of(&format!("{path}.configMap.name")),
                format!("the config map `{}` is not deployed", map.name),
                "take the volume out, or write `optional: true`: of a manifest the Deployment alone is deployed",
            );
        }
        if let Some(secret) = &volume.secret
            && secret.optional != Some(true)
            && let name = secret.secret_name.as_deref().unwrap_or_default()
            && !secrets.contains(name)
        {
            complaints.add(
                manifest.place_of(&format!("{path}.secret.secretName")),
                format!("the secret `{name}` is not deployed"),
                "take the volume out, or write `optional: true`: the agent's keys are the only secret",
            );
        }
    }
}

/// The suite makes the secrets that variables refer to, with the agent's keys in them.
fn check_keys(
    manifest: &Manifest,
    path: &str,
    container: &Container,
    complaints: &mut Complaints<'_>,
) {
    for (position, variable) in container.env.iter().flatten().enumerate() {
        let Some(source) = &variable.value_from else {
            continue;
        };
        let path = format!("{path}.env[{position}].valueFrom");
        if let Some(secret) = &source.secret_key_ref
            && secret.optional != Some(true)
            && ![ACCESS_KEY, SECRET_KEY].contains(&secret.key.as_str())
        {
            complaints.add(
                manifest.place_of(&format!("{path}.secretKeyRef.key")),
                format!("the secret `{}` has no key `{}`", secret.name, secret.key),
                format!(
                    "write `key: {ACCESS_KEY}` or `key: {SECRET_KEY}`, or the variable's value"
                ),
            );
        }
        if let Some(map) = &source.config_map_key_ref
            && map.optional != Some(true)
        {
            complaints.add(
                manifest.place_of(&format!("{path}.configMapKeyRef.name")),
                format!("the config map `{}` is not deployed", map.name),
                "write the variable's value: of a manifest the Deployment alone is deployed",
            );
        }
    }
}

fn key_secrets(pod: &PodSpec) -> BTreeSet<&str> {
    containers(pod)
        .flat_map(|(_, container)| container.env.iter().flatten())
        .filter_map(|variable| variable.value_from.as_ref()?.secret_key_ref.as_ref())
        .map(|reference| reference.name.as_str())
        .collect()
}

/// Returns every container with its path in the template.
fn containers(pod: &PodSpec) -> impl Iterator<Item = (String, &Container)> {
    let starters = pod.init_containers.iter().flatten().enumerate();
    let starters = starters.map(|(at, container)| (format!("initContainers[{at}]"), container));
    let mains = pod.containers.iter().enumerate();
    starters.chain(mains.map(|(at, container)| (format!("containers[{at}]"), container)))
}

#[cfg(test)]
#[path = "manifest_fitness_tests.rs"]
mod tests;
