//! Agents in pods of their own: the template of such a pod, and the proxy's configuration once it is known where they are.

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

use super::{AGENT_CONTAINER, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, Stack};

/// What stands for the first agent's address in the proxy's configuration; the next ones follow. They are reserved for documentation (RFC 5737).
const FIRST_PLACE: [u8; 4] = [192, 0, 2, 10];

/// Agents in pods of their own, behind a Service.
#[derive(Clone, Debug)]
pub struct AgentPods {
    /// The template of each.
    pub pod: PodSpec,
    /// How many there are.
    pub replicas: u32,
}

impl AgentPods {
    /// Takes the agent out of a pod, with copies of the volumes that it mounts and of what holds for the whole pod.
    pub(super) fn take_from(pod: &mut PodSpec, replicas: u32) -> Option<Self> {
        let position = pod
            .containers
            .iter()
            .position(|container| container.name == AGENT_CONTAINER)?;
        let agent = pod.containers.remove(position);
        let volumes = pod.volumes.iter().flatten();
        let volumes = volumes.filter(|volume| mounts(&agent, volume)).cloned();
        let own = PodSpec {
            volumes: Some(volumes.collect()),
            security_context: pod.security_context.clone(),
            termination_grace_period_seconds: pod.termination_grace_period_seconds,
            containers: vec![agent],
            ..PodSpec::default()
        };
        Some(Self { pod: own, replicas })
    }

    /// Returns what stands for the address of an agent in the proxy's configuration, counted from 0.
    pub fn place_of(number: u8) -> String {
        let [first, second, third, last] = FIRST_PLACE;
        format!("{first}.{second}.{third}.{}", last + number)
    }

    /// Returns the name by which the agent of a pod goes, counted from 0: the first one's is that of a pod with one agent.
    pub fn name_of(number: u32) -> String {
        match number {
            0 => AGENT_CONTAINER.into(),
            number => format!("{AGENT_CONTAINER}-{number}"),
        }
    }
}

impl Stack {
    /// Returns the stack with the agents' addresses in the proxy's configuration.
    #[must_use]
    pub fn with_agents_at(&self, addresses: &[String]) -> Self {
        let mut stack = self.clone();
        let files = stack.config_maps.get_mut(PROXY_CONFIG_MAP);
        if let Some(config) = files.and_then(|files| files.get_mut(PROXY_CONFIG_FILE)) {
            for (number, address) in (0_u8..).zip(addresses) {
                *config = config.replace(&AgentPods::place_of(number), address);
            }
        }
        stack
    }
}

fn mounts(container: &Container, volume: &Volume) -> bool {
    let mut mounts = container.volume_mounts.iter().flatten();
    mounts.any(|mount| mount.name == volume.name)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::model::terminating_endpoints::TerminatingEndpoints;

    fn pod() -> PodSpec {
        serde_json::from_value(json!({
            "containers": [
                { "name": "envoy-frontproxy" },
                { "name": AGENT_CONTAINER, "volumeMounts": [{ "name": "own", "mountPath": "/own" }] }
            ],
            "securityContext": { "runAsUser": 7 },
            "volumes": [{ "name": "own", "emptyDir": {} }, { "name": "others", "emptyDir": {} }]
        }))
        .expect("a pod template")
    }

    #[test]
    fn the_agent_leaves_the_pod_with_its_volume_and_its_user() {
        let mut front = pod();
        let agents = AgentPods::take_from(&mut front, 2).expect("it has an agent");
        let names = |pod: &PodSpec| -> Vec<String> {
            let containers = pod.containers.iter();
            containers.map(|container| container.name.clone()).collect()
        };
        assert_eq!(names(&front), ["envoy-frontproxy"]);
        assert_eq!(names(&agents.pod), [AGENT_CONTAINER]);
        let volumes = agents.pod.volumes.iter().flatten();
        assert_eq!(
            volumes
                .map(|volume| volume.name.as_str())
                .collect::<Vec<_>>(),
            ["own"]
        );
        let context = agents.pod.security_context.expect("a context");
        assert_eq!(context.run_as_user, Some(7));
    }

    #[test]
    fn each_agents_place_takes_its_address() {
        let files = BTreeMap::from([(
            PROXY_CONFIG_FILE.to_owned(),
            "192.0.2.10, 192.0.2.11".to_owned(),
        )]);
        let stack = Stack {
            pod: pod(),
            agents: None,
            pull_policies: BTreeMap::new(),
            own_images: BTreeSet::new(),
            namespace_enforces: None,
            terminating_endpoints: TerminatingEndpoints::default(),
            config_maps: BTreeMap::from([(PROXY_CONFIG_MAP.to_owned(), files)]),
            secrets: BTreeMap::new(),
        };
        let placed = stack.with_agents_at(&["10.0.0.1".into(), "10.0.0.2".into()]);
        assert_eq!(placed.proxy_config(), Some("10.0.0.1, 10.0.0.2"));
    }
}
