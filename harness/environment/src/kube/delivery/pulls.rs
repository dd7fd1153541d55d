//! How the kubelet gets the run's images: the pull policy that the user chose, and the credentials that a registry asks for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{LocalObjectReference, Pod, PodSpec, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::Api;

use crate::EnvironmentFault;
use crate::kube::api::fault::ask;
use crate::kube::api::labels::labels;
use harness_core::model::identity::RunId;
use harness_core::model::pull_policy::PullPolicy;
use harness_core::stack::Stack;

/// The kinds of secret that hold credentials of registries.
const CREDENTIAL_KINDS: [&str; 2] = ["kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"];

/// A secret of the user's cluster that holds credentials of a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PullSecretName {
    /// Its namespace; the context's own when none is named.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PullSecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(formatter, "{namespace}/")?;
        }
        formatter.write_str(&self.name)
    }
}

impl FromStr for PullSecretName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 253
                && text.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte)
                })
        };
        if is_name(name) && namespace.is_none_or(is_name) {
            Ok(Self {
                namespace: namespace.map(Into::into),
                name: name.into(),
            })
        } else {
            Err(format!(
                "`{text}` is not NAME or NAMESPACE/NAME of a secret"
            ))
        }
    }
}

/// How the kubelet gets images.
#[derive(Clone, Debug)]
pub(in crate::kube) struct ImagePulls {
    /// When it asks a registry.
    pub policy: PullPolicy,
    /// What it shows the registry.
    pub secret: Option<PullSecret>,
}

/// The content of a secret, which no message ever shows.
#[derive(Clone)]
pub(in crate::kube) struct PullSecret {
    pub name: String,
    kind: String,
    data: BTreeMap<String, ByteString>,
}

impl fmt::Debug for PullSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PullSecret")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ImagePulls {
    /// Reads the user's secret where one is named.
    pub(in crate::kube) async fn read(
        client: &Client,
        policy: PullPolicy,
        secret: Option<&PullSecretName>,
    ) -> Result<Self, EnvironmentFault> {
        let secret = match secret {
            Some(named) => Some(PullSecret::read(client, named).await?),
            None => None,
        };
        Ok(Self { policy, secret })
    }

    /// Lets a pod that serves the run get its image.
    pub(in crate::kube) fn put_into_pod(&self, pod: &mut Pod) {
        if let Some(spec) = &mut pod.spec {
            self.put_into(spec, |_| None);
        }
    }

    /// Lets a pod under test get its images. A scenario's own policy wins.
    pub(in crate::kube) fn put_into_pod_under_test(&self, pod: &mut Pod, stack: &Stack) {
        if let Some(spec) = &mut pod.spec {
            self.put_into(spec, |container| {
                stack.pull_policies.get(container).copied()
            });
        }
    }

    fn put_into(&self, spec: &mut PodSpec, chosen: impl Fn(&str) -> Option<PullPolicy>) {
        let sidecars = spec.init_containers.iter_mut().flatten();
        for container in sidecars.chain(&mut spec.containers) {
            let policy = chosen(&container.name).unwrap_or(self.policy);
            container.image_pull_policy = Some(policy.as_str().into());
        }
        if let Some(secret) = &self.secret {
            let reference = LocalObjectReference {
                name: secret.name.clone(),
            };
            spec.image_pull_secrets
                .get_or_insert_default()
                .push(reference);
        }
    }
}

impl PullSecret {
    async fn read(client: &Client, named: &PullSecretName) -> Result<Self, EnvironmentFault> {
        let secrets: Api<Secret> = match &named.namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::default_namespaced(client.clone()),
        };
        let action = format!("read the pull secret `{}`", named.name);
        let unfit = |detail: String| {
            EnvironmentFault::Cluster {
            action: action.clone(),
            detail,
            hint: Some(
                "`kubectl create secret docker-registry NAME` makes one; `--pull-secret NAMESPACE/NAME` names one of another namespace"
                    .into(),
            ),
        }
        };
        let Some(secret) = ask(&action, secrets.get_opt(&named.name)).await? else {
            return Err(unfit("there is no such secret".into()));
        };
        let kind = secret.type_.unwrap_or_default();
        if !CREDENTIAL_KINDS.contains(&kind.as_str()) {
            return Err(unfit(format!(
                "it is of the kind `{kind}`, which holds no credentials of a registry"
            )));
        }
        Ok(Self {
            name: named.name.clone(),
            kind,
            data: secret.data.unwrap_or_default(),
        })
    }

    /// Makes the copy for a namespace of the run, which goes with it.
    pub(in crate::kube) fn copy_for(&self, run: &RunId) -> Secret {
        Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some(labels(run, "pull-secret")),
                ..ObjectMeta::default()
            },
            type_: Some(self.kind.clone()),
            data: Some(self.data.clone()),
            ..Secret::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn secret() -> PullSecret {
        PullSecret {
            name: "registry".into(),
            kind: CREDENTIAL_KINDS[0].into(),
            data: BTreeMap::from([(
                ".dockerconfigjson".into(),
                ByteString(b"hidden-credentials".to_vec()),
            )]),
        }
    }

    #[test]
    fn a_pod_gets_the_runs_policy_and_the_name_of_the_secret() {
        let pulls = ImagePulls {
            policy: PullPolicy::Never,
            secret: Some(secret()),
        };
        let run = "abc123".parse().expect("valid");
        let mut pod = crate::kube::api::objects::driver(&run, "own/driver:1");
        pulls.put_into_pod(&mut pod);
        let spec = pod.spec.expect("a spec");
        assert_eq!(
            spec.containers[0].image_pull_policy.as_deref(),
            Some("Never")
        );
        assert_eq!(
            spec.image_pull_secrets.expect("secrets")[0].name,
            "registry"
        );
    }

    #[test]
    fn the_content_of_a_secret_is_not_shown_and_is_copied() {
        let secret = secret();
        let shown = format!("{secret:?}");
        assert!(!shown.contains("hidden"), "{shown}");
        assert!(!shown.contains("104, 105"), "{shown}");
        let copy = secret.copy_for(&"abc123".parse().expect("valid"));
        assert_eq!(copy.data, Some(secret.data));
        assert_eq!(copy.type_, Some(secret.kind));
    }

    #[rstest]
    #[case("registry", None, "registry")]
    #[case("team/registry", Some("team"), "registry")]
    fn a_secret_is_named_with_or_without_its_namespace(
        #[case] text: &str,
        #[case] namespace: Option<&str>,
        #[case] name: &str,
    ) {
        let parsed: PullSecretName = text.parse().expect("valid");
        assert_eq!(parsed.namespace.as_deref(), namespace);
        assert_eq!(parsed.name, name);
    }

    #[rstest]
    #[case("")]
    #[case("a/b/c")]
    #[case("Upper")]
    #[case("/name")]
    fn what_is_no_name_of_a_secret_is_refused(#[case] text: &str) {
        assert!(text.parse::<PullSecretName>().is_err());
    }
}
