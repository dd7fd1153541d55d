//! Asks a context of the kubeconfig, without changing anything there, what a run would find: its cluster, its rights, and what is left.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::task::JoinSet;

use crate::EnvironmentFault;
use crate::kube::api::connection::{ApiConnection, ContextConfig, KubeconfigSource, read_context};
use crate::kube::api::endpoints::EndpointsApi;
use crate::kube::api::fault::ask;
use crate::kube::space::sweep::left_namespaces;

/// How long the kubeconfig's credentials may take.
const LOGGED_IN_WITHIN: Duration = Duration::from_secs(15);

const ENDPOINTS: &str = "endpoints";
const ENDPOINT_SLICES: &str = "endpointslices";

/// What a run does in a cluster, by resource. A run makes its namespaces itself, so each right is one in all of them.
const RIGHTS: [(Need, &str, &str, &[&str]); 15] = [
    (
        Need::EveryRun,
        "",
        "namespaces",
        &["create", "delete", "list"],
    ),
    (
        Need::EveryRun,
        "",
        "pods",
        &["create", "delete", "get", "list", "patch", "watch"],
    ),
    // A WebSocket is opened with GET; the API from 1.35 on asks for `create` besides.
    (Need::EveryRun, "", "pods/exec", &["create", "get"]),
    (Need::EveryRun, "", "pods/log", &["get"]),
    (Need::EveryRun, "", "pods/portforward", &["create", "get"]),
    (
        Need::EveryRun,
        "",
        "services",
        &["create", "delete", "get", "patch"],
    ),
    (Need::EveryRun, "", "secrets", &["create", "patch"]),
    (Need::EveryRun, "", "configmaps", &["create", "patch"]),
    (Need::EveryRun, "", "serviceaccounts", &["get"]),
    // One of the two, by the release.
    (Need::EveryRun, "", ENDPOINTS, &["get"]),
    (
        Need::EveryRun,
        "discovery.k8s.io",
        ENDPOINT_SLICES,
        &["list"],
    ),
    (Need::EveryRun, "", "events", &["list", "watch"]),
    (Need::Rollouts, "apps", "deployments", &["create", "patch"]),
    (Need::Rollouts, "", "pods/eviction", &["create"]),
    (
        Need::Rollouts,
        "policy",
        "poddisruptionbudgets",
        &["create", "patch"],
    ),
];

/// What a right is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Without it no run begins, or none can judge.
    EveryRun,
    /// Without it scenarios that roll a Deployment out cannot be judged.
    Rollouts,
}

/// A thing that the API may let the user do, in every namespace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Right {
    /// What for.
    pub need: Need,
    /// `create`, `watch` and so on.
    pub verb: &'static str,
    group: &'static str,
    /// The resource with its subresource: `pods/exec`.
    pub resource: &'static str,
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)
    }
}

impl Right {
    /// Returns every right that a run makes use of.
    pub fn all() -> impl Iterator<Item = Self> {
        RIGHTS.iter().flat_map(|(need, group, resource, verbs)| {
            verbs.iter().map(|verb| Self {
                need: *need,
                verb,
                group,
                resource,
            })
        })
    }

    /// Returns whether a run makes use of it where the API has this of a Service's endpoints.
    fn is_used_with(self, api: EndpointsApi) -> bool {
        match api {
            EndpointsApi::Slices => self.resource != ENDPOINTS,
            EndpointsApi::Whole => self.resource != ENDPOINT_SLICES,
        }
    }

    /// Returns the words after `kubectl auth can-i` that ask for the same.
    pub fn as_kubectl_asks(&self) -> String {
        let (resource, subresource) = self.parts();
        let group = match self.group {
            "" => String::new(),
            group => format!(".{group}"),
        };
        let subresource =
            subresource.map_or_else(String::new, |name| format!(" --subresource={name}"));
        format!(
            "{} {resource}{group}{subresource} --all-namespaces",
            self.verb
        )
    }

    fn parts(&self) -> (&'static str, Option<&'static str>) {
        match self.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource)),
            None => (self.resource, None),
        }
    }

    fn review(&self) -> SelfSubjectAccessReview {
        let (resource, subresource) = self.parts();
        SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    group: Some(self.group.into()),
                    resource: Some(resource.into()),
                    subresource: subresource.map(Into::into),
                    verb: Some(self.verb.into()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        }
    }
}

/// A context of the user's kubeconfig.
pub struct KubeContext(ContextConfig);

impl fmt::Debug for KubeContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KubeContext")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl KubeContext {
    /// Reads a context of the kubeconfig, the current one when none is named. The cluster is not asked.
    ///
    /// # Errors
    ///
    /// When there is no kubeconfig, it cannot be read, or it has no such context.
    pub async fn read(name: Option<String>) -> Result<Self, EnvironmentFault> {
        let source = KubeconfigSource::Context(name);
        Ok(Self(read_context(&source).await?))
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the address of its API.
    pub fn server(&self) -> String {
        self.0.config.cluster_url.to_string()
    }

    /// Asks the API for its version.
    ///
    /// # Errors
    ///
    /// When there are no credentials, or it does not answer in time.
    pub async fn reach(self) -> Result<ReachedCluster, EnvironmentFault> {
        let connection = ApiConnection::to(self.0.config, LOGGED_IN_WITHIN).await?;
        Ok(ReachedCluster(connection))
    }
}

/// A cluster that has answered.
#[derive(Debug)]
pub struct ReachedCluster(ApiConnection);

impl ReachedCluster {
    /// Returns the version of Kubernetes: `v1.20.2`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Asks the API for each right that a run makes use of there whether it is granted: self-subject access reviews, of which nothing is stored.
    ///
    /// # Errors
    ///
    /// When the API does not say.
    ///
    /// # Panics
    ///
    /// When a question does: a bug.
    pub async fn rights(&self) -> Result<Vec<(Right, Grant)>, EnvironmentFault> {
        let mut asked = JoinSet::new();
        let api = EndpointsApi::of(self.0.release);
        let rights = Right::all().filter(|right| right.is_used_with(api));
        for (position, right) in rights.enumerate() {
            let client = self.0.client.clone();
            asked.spawn(async move { (position, right, is_granted(client, right).await) });
        }
        let mut answers = Vec::new();
        while let Some(answer) = asked.join_next().await {
            let (position, right, grant) = answer.expect("a question does not panic");
            answers.push((position, right, grant?));
        }
        answers.sort_by_key(|(position, _, _)| *position);
        let answers = answers.into_iter();
        Ok(answers.map(|(_, right, grant)| (right, grant)).collect())
    }

    /// Returns the namespaces of runs of this machine whose process is gone.
    ///
    /// # Errors
    ///
    /// When the API does not list them.
    pub async fn left_namespaces(&self) -> Result<Vec<String>, EnvironmentFault> {
        let left = left_namespaces(&self.0.client).await?.into_iter();
        Ok(left.map(|namespace| namespace.name).collect())
    }
}

/// Whether the API lets the user do a thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Grant {
    /// It does.
    Granted,
    /// It does not.
    Refused,
}

async fn is_granted(client: Client, right: Right) -> Result<Grant, EnvironmentFault> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    let action = format!("ask whether the user may {right}");
    let review = right.review();
    let answer = ask(&action, reviews.create(&PostParams::default(), &review)).await?;
    Ok(match answer.status {
        Some(status) if status.allowed => Grant::Granted,
        Some(_) | None => Grant::Refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_asked_for_in_all_namespaces_and_with_its_subresource() {
        let exec = Right::all()
            .find(|right| right.to_string() == "create pods/exec")
            .expect("a run needs it");
        let asked = exec.review().spec.resource_attributes.expect("a resource");
        assert_eq!(asked.resource.as_deref(), Some("pods"));
        assert_eq!(asked.subresource.as_deref(), Some("exec"));
        assert_eq!(asked.namespace, None);
        assert_eq!(
            exec.as_kubectl_asks(),
            "create pods --subresource=exec --all-namespaces"
        );
    }

    #[test]
    fn of_the_two_rights_to_endpoints_a_cluster_is_asked_for_one() {
        let asked = |api| {
            let rights = Right::all().filter(|right| right.is_used_with(api));
            let of_endpoints = rights.filter(|right| right.resource.starts_with("endpoint"));
            of_endpoints
                .map(|right| right.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(asked(EndpointsApi::Whole), ["get endpoints"]);
        assert_eq!(asked(EndpointsApi::Slices), ["list endpointslices"]);
    }

    #[test]
    fn a_resource_of_a_group_carries_it() {
        let rollout = Right::all()
            .find(|right| right.need == Need::Rollouts)
            .expect("there is one");
        let asked = rollout
            .review()
            .spec
            .resource_attributes
            .expect("a resource");
        assert_eq!(asked.group.as_deref(), Some("apps"));
        assert!(rollout.as_kubectl_asks().contains("deployments.apps"));
    }
}
