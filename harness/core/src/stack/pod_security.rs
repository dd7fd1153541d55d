//! Writes into a pod template what its containers are denied.

use k8s_openapi::api::core::v1::{Capabilities, PodSpec, SeccompProfile};

use crate::model::pod_security::PodSecurity;

/// The user and the group: those of the suite's own images, and no account's on a common node.
const UNPRIVILEGED: i64 = 65532;

/// Hardens every container. User and seccomp profile stand at the pod, as the Pod Security Standards allow; the rest is each container's own.
pub(super) fn harden(pod: &mut PodSpec, security: PodSecurity) {
    let context = pod.security_context.get_or_insert_default();
    context.run_as_non_root = Some(true);
    context.run_as_user = Some(UNPRIVILEGED);
    context.run_as_group = Some(UNPRIVILEGED);
    match security {
        PodSecurity::Restricted => {
            context.seccomp_profile = Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                localhost_profile: None,
            });
        }
        PodSecurity::Unprivileged => {}
    }
    let sidecars = pod.init_containers.iter_mut().flatten();
    for container in sidecars.chain(&mut pod.containers) {
        let context = container.security_context.get_or_insert_default();
        context.allow_privilege_escalation = Some(false);
        context.capabilities = Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".into()]),
        });
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, SecurityContext};

    use super::*;

    fn hardened(security: PodSecurity) -> PodSpec {
        let mut pod = PodSpec {
            containers: vec![Container {
                security_context: Some(SecurityContext {
                    read_only_root_filesystem: Some(true),
                    ..SecurityContext::default()
                }),
                ..Container::default()
            }],
            init_containers: Some(vec![Container::default()]),
            ..PodSpec::default()
        };
        harden(&mut pod, security);
        pod
    }

    #[test]
    fn every_container_drops_all_capabilities_and_keeps_what_it_had() {
        let pod = hardened(PodSecurity::Unprivileged);
        let sidecars = pod.init_containers.iter().flatten();
        for container in sidecars.chain(&pod.containers) {
            let context = container.security_context.as_ref().expect("a context");
            assert_eq!(context.allow_privilege_escalation, Some(false));
            let dropped = context
                .capabilities
                .as_ref()
                .and_then(|all| all.drop.clone());
            assert_eq!(dropped, Some(vec!["ALL".to_owned()]));
        }
        let context = pod.containers[0]
            .security_context
            .as_ref()
            .expect("a context");
        assert_eq!(context.read_only_root_filesystem, Some(true));
    }

    #[test]
    fn only_a_restricted_pod_asks_for_a_seccomp_profile() {
        let profile = |security| {
            let context = hardened(security).security_context.expect("a context");
            assert_eq!(context.run_as_non_root, Some(true));
            context.seccomp_profile.map(|profile| profile.type_)
        };
        assert_eq!(profile(PodSecurity::Unprivileged), None);
        assert_eq!(
            profile(PodSecurity::Restricted).as_deref(),
            Some("RuntimeDefault")
        );
    }
}
