//! The proxies of a benchmark's pod: one for all arms, or, where A and B differ in theirs, one for each agent that is compared and one for the rest.

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::core::v1::Container;

use super::arm::Arm;
use super::stack::BenchStack;
use harness_core::stack::{
    ADMIN_PORT, PROXY_CONFIG_FILE, PROXY_CONFIG_MAP, PROXY_CONTAINER, Stack,
};

/// The image of B's Envoy, where it is another executable than A's.
pub const CANDIDATE_PROXY_IMAGE: &str = "conformance.local/candidate-envoy";

/// Which proxy stands before an agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProxyChoice {
    /// Its configuration, by its name.
    pub config: String,
    /// The Envoy; that of the run when not given.
    pub envoy: Option<Utf8PathBuf>,
}

/// A proxy of the pod.
#[derive(Clone, Copy, Debug)]
pub struct BenchProxy<'a> {
    /// The arms that it serves.
    pub arms: &'static [Arm],
    /// What it is.
    pub choice: &'a ProxyChoice,
}

/// The arms that have no agent under test.
const FLOOR: [Arm; 3] = [Arm::Absent, Arm::Disabled, Arm::Null];

impl BenchStack {
    /// Returns the proxies of the pod. One that served more arms than another would be the busier and warmer of the two, so that what is compared has
    /// one each.
    pub fn proxies(&self) -> Vec<BenchProxy<'_>> {
        let proxy = |arms, choice| BenchProxy { arms, choice };
        let (a, b) = (&self.a.proxy, &self.b.proxy);
        if a == b {
            return vec![proxy(&Arm::ALL, a)];
        }
        vec![
            proxy(&FLOOR, a),
            proxy(&[Arm::A], a),
            proxy(&[Arm::AAgain], a),
            proxy(&[Arm::B], b),
        ]
    }

    /// Returns the proxy that serves an arm.
    ///
    /// # Panics
    ///
    /// Never: each arm has one.
    pub fn proxy_of(&self, arm: Arm) -> BenchProxy<'_> {
        let mut proxies = self.proxies().into_iter();
        proxies
            .find(|proxy| proxy.arms.contains(&arm))
            .expect("each arm has a proxy")
    }
}

impl BenchProxy<'_> {
    /// Returns the arm that the proxy serves alone; none where it serves several.
    pub fn only_arm(self) -> Option<Arm> {
        match self.arms {
            [arm] => Some(*arm),
            _ => None,
        }
    }

    /// Returns its container.
    pub fn container(self) -> String {
        self.only_arm()
            .map_or(PROXY_CONTAINER.into(), |arm| format!("envoy-{arm}"))
    }

    /// Returns the file of its configuration.
    pub(super) fn file(self) -> String {
        self.only_arm()
            .map_or(PROXY_CONFIG_FILE.into(), |arm| format!("envoy-{arm}.yaml"))
    }

    /// Returns the port of its admin endpoint.
    pub(super) fn admin_port(self) -> u16 {
        self.only_arm()
            .map_or(ADMIN_PORT, |arm| ADMIN_PORT + 1 + u16::from(arm.position()))
    }

    /// Returns the Envoy that it is.
    pub(super) fn envoy<'e>(&'e self, of_run: &'e Utf8Path) -> &'e Utf8Path {
        self.choice.envoy.as_deref().unwrap_or(of_run)
    }

    /// Makes its container of the one that the manifest has.
    pub(super) fn container_of(self, proxy: &Container) -> Container {
        let mut container = proxy.clone();
        container.name = self.container();
        if self.only_arm().is_none() {
            return container;
        }
        if self.choice.envoy.is_some() {
            container.image = Some(CANDIDATE_PROXY_IMAGE.into());
        }
        container.ports = None;
        // They ask the ports of the first proxy.
        container.startup_probe = None;
        container.readiness_probe = None;
        container.liveness_probe = None;
        container.lifecycle = None;
        // A manifest may name the file in either.
        let command = container.command.iter_mut().flatten();
        for argument in command.chain(container.args.iter_mut().flatten()) {
            if let Some(folder) = argument.strip_suffix(PROXY_CONFIG_FILE) {
                *argument = format!("{folder}{}", self.file());
            }
        }
        container
    }

    /// Returns the stack as if this were its only proxy.
    pub(super) fn alone(self, stack: &Stack) -> Stack {
        let mut alone = stack.clone();
        if let Some(files) = alone.config_maps.get_mut(PROXY_CONFIG_MAP)
            && let Some(config) = files.remove(&self.file())
        {
            files.insert(PROXY_CONFIG_FILE.into(), config);
        }
        alone
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bench::stack::{Program, Subject};
    use harness_core::model::project::Project;
    use harness_core::stack::assemble::AgentOverrides;
    use harness_core::stack::keys::AgentKeys;

    fn stack(b: ProxyChoice) -> (BenchStack, Stack) {
        let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let a = Subject {
            variables: BTreeMap::new(),
            program: Program::OfRun,
            proxy: ProxyChoice {
                config: "fail-closed".into(),
                envoy: None,
            },
        };
        let bench = BenchStack {
            b: Subject {
                proxy: b,
                ..a.clone()
            },
            a,
        };
        let keys = AgentKeys::invent().expect("keys");
        let overrides = AgentOverrides::default();
        let stack = bench
            .assemble(&Project::at(root), &keys, &overrides, 1)
            .expect("it can be put together");
        (bench, stack)
    }

    fn variable<'a>(stack: &'a Stack, container: &str, name: &str) -> Option<&'a str> {
        let mut variables = stack.container(container)?.env.iter().flatten();
        variables
            .find(|variable| variable.name == name)?
            .value
            .as_deref()
    }

    #[test]
    fn proxies_that_are_alike_are_one() {
        let (bench, stack) = stack(ProxyChoice {
            config: "fail-closed".into(),
            envoy: None,
        });
        assert_eq!(bench.proxies().len(), 1);
        let proxies = stack.containers().filter(|one| one.name.contains("envoy"));
        assert_eq!(proxies.count(), 1);
    }

    #[test]
    fn proxies_that_differ_serve_one_compared_arm_each() {
        let (bench, stack) = stack(ProxyChoice {
            config: "unix-socket".into(),
            envoy: Some("/another/envoy".into()),
        });
        for proxy in bench.proxies() {
            let container = stack.container(&proxy.container()).expect("it is deployed");
            let is_b = proxy.arms == [Arm::B];
            assert_eq!(
                container.image.as_deref() == Some(CANDIDATE_PROXY_IMAGE),
                is_b
            );
            let arguments = container.args.clone().unwrap_or_default();
            assert!(
                arguments.contains(&format!("/etc/envoy/{}", proxy.file())),
                "{arguments:?}"
            );
            let alone = proxy.alone(&stack);
            let config = alone.proxy_config().expect("it has a configuration");
            for arm in Arm::ALL {
                let listener = format!("\"arm-{arm}\"");
                assert_eq!(
                    config.contains(&listener),
                    proxy.arms.contains(&arm),
                    "{arm}"
                );
            }
            assert!(config.contains(&format!("\"port_value\":{}", proxy.admin_port())));
        }
        let address = |arm: &str| variable(&stack, arm, "SIGSCI_ENVOY_GRPC_ADDRESS");
        assert_eq!(address("a"), Some("localhost:9103"));
        assert_eq!(address("b"), Some("unix:/run/conformance-agents/b.sock"));
    }

    #[test]
    fn agents_behind_tls_have_the_certificates_that_their_proxy_trusts() {
        let (_, stack) = stack(ProxyChoice {
            config: "tls".into(),
            envoy: None,
        });
        let certificate = |arm: &str| variable(&stack, arm, "SIGSCI_ENVOY_GRPC_CERT");
        assert_eq!(certificate("a"), None);
        assert_eq!(certificate("b"), Some("/etc/conformance/tls/tls.crt"));
        let b = stack.container("b").expect("it is deployed");
        let mut mounted = stack.mounted_secrets(b);
        assert!(mounted.any(|(folder, _)| folder == "/etc/conformance/tls"));
    }
}
