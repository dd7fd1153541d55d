//! The objects of a pod under test, and of what serves a run, as the API is given them.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, Namespace, Pod, PodSpec, Secret, SecurityContext, Service, ServicePort,
    ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::kube::api::labels::{
    ENFORCE_LABEL, OWNER_ANNOTATION, PURPOSE_ANNOTATION, ROLE_LABEL, labels,
};
use crate::kube::api::ownership::Owner;
use crate::kube::api::processor::{SERVING, UNDER_TEST, ask_for_processor};
use harness_core::model::identity::RunId;
use harness_core::model::pod_security::PodSecurityStandard;
use harness_core::stack::secret::SecretText;
use harness_core::stack::{PROXY_PORT, Stack};

/// The pod under test.
pub(in crate::kube) const POD: &str = "pod-under-test";
/// Its role, which the Service selects.
pub(in crate::kube) const POD_ROLE: &str = "pod-under-test";
/// The Service in front of it.
pub(in crate::kube) const SERVICE: &str = "front-proxy";
/// The Service in front of agents in pods of their own; also the role of these pods.
pub(in crate::kube) const AGENTS: &str = "sigsci-agents";
/// The driver's pod, and its container.
pub(in crate::kube) const DRIVER: &str = "driver";
/// The role of observers; also the name of their container.
pub(in crate::kube) const OBSERVER: &str = "observer";

/// Kubernetes' default, written out: it is part of a port's key, and server-side apply of older releases refuses a key with a gap.
const PROTOCOL: &str = "TCP";
/// Where the harness is in its image.
const CONFORMANCE: &str = "conformance";

/// Makes a namespace of a run.
pub(in crate::kube) fn namespace(
    name: &str,
    run: &RunId,
    purpose: &str,
    owner: Option<&Owner>,
    enforces: Option<PodSecurityStandard>,
) -> Namespace {
    let mut annotations = BTreeMap::from([(PURPOSE_ANNOTATION.to_owned(), purpose.to_owned())]);
    if let Some(owner) = owner {
        annotations.insert(OWNER_ANNOTATION.into(), owner.to_string());
    }
    let mut labels = labels(run, "namespace");
    if let Some(standard) = enforces {
        labels.insert(ENFORCE_LABEL.into(), standard.as_str().into());
    }
    Namespace {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

/// Makes a secret of the stack.
pub(in crate::kube) fn secret(
    name: &str,
    run: &RunId,
    values: &BTreeMap<String, SecretText>,
) -> Secret {
    let data = values
        .iter()
        .map(|(key, value)| (key.clone(), ByteString(value.reveal().as_bytes().to_vec())))
        .collect();
    Secret {
        metadata: metadata(name, run, "stack"),
        data: Some(data),
        ..Secret::default()
    }
}

/// Makes a config map of the stack.
pub(in crate::kube) fn config_map(
    name: &str,
    run: &RunId,
    files: &BTreeMap<String, String>,
) -> ConfigMap {
    ConfigMap {
        metadata: metadata(name, run, "stack"),
        data: Some(files.clone()),
        ..ConfigMap::default()
    }
}

/// Makes the Service in front of the pod.
pub(in crate::kube) fn service(run: &RunId) -> Service {
    service_of(SERVICE, POD_ROLE, PROXY_PORT, run)
}

/// Makes a Service in front of the pods of a role, on the port that they listen on.
pub(in crate::kube) fn service_of(name: &str, role: &str, port: u16, run: &RunId) -> Service {
    Service {
        metadata: metadata(name, run, "stack"),
        spec: Some(ServiceSpec {
            selector: Some(BTreeMap::from([(ROLE_LABEL.to_owned(), role.to_owned())])),
            ports: Some(vec![ServicePort {
                name: Some("http".into()),
                port: i32::from(port),
                protocol: Some(PROTOCOL.into()),
                target_port: Some(IntOrString::Int(i32::from(port))),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// Makes the pod under test: the stack's template, with a share of the processors where it asks for none.
pub(in crate::kube) fn pod(
    run: &RunId,
    stack: &Stack,
    images: &crate::kube::api::image_names::ImageNames,
) -> Pod {
    let mut spec = stack.pod.clone();
    images.put_into(&mut spec, &stack.own_images);
    ask_for_processor(&mut spec, UNDER_TEST);
    let ports = spec
        .containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten())
        .flat_map(|container| container.ports.iter_mut().flatten());
    for port in ports {
        port.protocol.get_or_insert_with(|| PROTOCOL.into());
    }
    Pod {
        metadata: metadata(POD, run, POD_ROLE),
        spec: Some(spec),
        ..Pod::default()
    }
}

/// Makes the pod that drivers run in. It needs no privilege and asks for none.
pub(in crate::kube) fn driver(run: &RunId, image: &str) -> Pod {
    Pod {
        metadata: metadata(DRIVER, run, DRIVER),
        spec: Some(serving(stand_by(DRIVER, image))),
        ..Pod::default()
    }
}

/// Makes a pod that answers connections to a port with its name.
pub(in crate::kube) fn answering(
    name: &str,
    role: &str,
    port: u16,
    run: &RunId,
    image: &str,
) -> Pod {
    let arguments = [
        "stand-by".to_owned(),
        "--answer-on".into(),
        port.to_string(),
    ];
    Pod {
        metadata: metadata(name, run, role),
        spec: Some(serving(Container {
            args: Some(arguments.into()),
            ..stand_by(role, image)
        })),
        ..Pod::default()
    }
}

/// Makes a pod that asks for no security context, which the standard *restricted* does not allow.
pub(in crate::kube) fn unconfined(name: &str, run: &RunId, image: &str) -> Pod {
    Pod {
        metadata: metadata(name, run, "trial"),
        spec: Some(PodSpec {
            security_context: None,
            ..serving(stand_by(name, image))
        }),
        ..Pod::default()
    }
}

/// Makes the pod that inspects the containers of one node.
pub(in crate::kube) fn observer(name: &str, run: &RunId, image: &str, node: Option<&str>) -> Pod {
    Pod {
        metadata: metadata(name, run, OBSERVER),
        spec: Some(PodSpec {
            host_pid: Some(true),
            node_name: node.map(Into::into),
            ..serving(Container {
                security_context: Some(SecurityContext {
                    privileged: Some(true),
                    run_as_user: Some(0),
                    ..SecurityContext::default()
                }),
                ..stand_by(OBSERVER, image)
            })
        }),
        ..Pod::default()
    }
}

/// Makes a pod that runs the agent once with these arguments.
pub(in crate::kube) fn once(name: &str, run: &RunId, image: &str, arguments: &[&str]) -> Pod {
    Pod {
        metadata: metadata(name, run, "question"),
        spec: Some(PodSpec {
            restart_policy: Some("Never".into()),
            ..serving(Container {
                name: "agent".into(),
                image: Some(image.into()),
                image_pull_policy: Some("IfNotPresent".into()),
                args: Some(
                    arguments
                        .iter()
                        .map(|argument| (*argument).to_owned())
                        .collect(),
                ),
                ..Container::default()
            })
        }),
        ..Pod::default()
    }
}

fn stand_by(name: &str, image: &str) -> Container {
    Container {
        name: name.into(),
        image: Some(image.into()),
        image_pull_policy: Some("IfNotPresent".into()),
        args: Some(vec!["stand-by".into()]),
        ..Container::default()
    }
}

/// Returns the command of an exec in the harness's image.
pub(in crate::kube) fn command(subcommand: &str) -> Vec<String> {
    vec![CONFORMANCE.into(), subcommand.into()]
}

/// Makes what serves a run from a container.
fn serving(container: Container) -> PodSpec {
    let mut spec = PodSpec {
        containers: vec![container],
        automount_service_account_token: Some(false),
        termination_grace_period_seconds: Some(1),
        ..PodSpec::default()
    };
    ask_for_processor(&mut spec, SERVING);
    spec
}

fn metadata(name: &str, run: &RunId, role: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        labels: Some(labels(run, role)),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        "abc123".parse().expect("valid")
    }

    #[test]
    fn only_the_observer_has_privileges() {
        let privileged = |pod: Pod| {
            pod.spec.expect("a spec").containers[0]
                .security_context
                .as_ref()
                .and_then(|context| context.privileged)
        };
        assert_eq!(privileged(observer("o", &run(), "i", None)), Some(true));
        assert_eq!(privileged(driver(&run(), "i")), None);
        assert_eq!(privileged(once("q", &run(), "i", &["--version"])), None);
    }

    #[test]
    fn every_object_carries_the_runs_id() {
        let labelled = |metadata: ObjectMeta| {
            metadata.labels.expect("labels")[crate::kube::api::labels::RUN_LABEL] == "abc123"
        };
        assert!(labelled(namespace("n", &run(), "p", None, None).metadata));
        assert!(labelled(secret("s", &run(), &BTreeMap::new()).metadata));
        assert!(labelled(config_map("c", &run(), &BTreeMap::new()).metadata));
        assert!(labelled(service(&run()).metadata));
        assert!(labelled(driver(&run(), "i").metadata));
        assert!(labelled(answering("a", "r", 1, &run(), "i").metadata));
    }

    #[test]
    fn the_service_selects_the_pod_under_test_and_no_driver() {
        let selector = service(&run()).spec.expect("a spec").selector.expect("one");
        let driver = driver(&run(), "i").metadata.labels.expect("labels");
        assert!(
            selector
                .iter()
                .any(|(key, value)| driver.get(key) != Some(value))
        );
    }
}
