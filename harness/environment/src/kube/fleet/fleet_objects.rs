//! The objects of a fleet as the API is given them: its Deployment, its disruption budget, and the request for an eviction.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde_json::{Value, json};

use crate::kube::api::labels::{ROLE_LABEL, labels};
use crate::kube::api::objects::POD_ROLE;
use harness_core::model::identity::RunId;

/// The Deployment; its pods' names begin with it. Also the name of its budget.
pub(super) const FLEET: &str = "fleet";
/// The label that each node has alone.
const NODE_LABEL: &str = "kubernetes.io/hostname";
/// The annotation whose value makes pods of the same template other ones.
const REVISION_ANNOTATION: &str = "conformance/revision";

/// Makes the Deployment of pods like this one, with Kubernetes' own strategy.
pub(super) fn deployment(run: &RunId, mut pod: Pod, replicas: u32, revision: u32) -> Deployment {
    let role = BTreeMap::from([(ROLE_LABEL.to_owned(), POD_ROLE.to_owned())]);
    if let Some(spec) = &mut pod.spec {
        spec.topology_spread_constraints
            .get_or_insert_with(|| vec![over_nodes(&role)]);
    }
    Deployment {
        metadata: ObjectMeta {
            name: Some(FLEET.into()),
            labels: Some(labels(run, FLEET)),
            ..ObjectMeta::default()
        },
        spec: DeploymentSpec {
            replicas: i32::try_from(replicas).ok(),
            selector: LabelSelector {
                match_labels: Some(role),
                ..LabelSelector::default()
            },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels(run, POD_ROLE)),
                    annotations: Some(BTreeMap::from([(
                        REVISION_ANNOTATION.to_owned(),
                        revision.to_string(),
                    )])),
                    ..ObjectMeta::default()
                }),
                spec: pod.spec,
            },
            ..DeploymentSpec::default()
        },
        ..Deployment::default()
    }
}

/// Asks for pods on as many nodes as there are, unless the template has a rule of its own.
fn over_nodes(role: &BTreeMap<String, String>) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        label_selector: Some(LabelSelector {
            match_labels: Some(role.clone()),
            ..LabelSelector::default()
        }),
        max_skew: 1,
        topology_key: NODE_LABEL.into(),
        when_unsatisfiable: "ScheduleAnyway".into(),
        ..TopologySpreadConstraint::default()
    }
}

/// The version of the group `policy` that a server has. Budgets and evictions are the same in both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PolicyVersion {
    V1,
    V1Beta1,
}

impl PolicyVersion {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "policy/v1",
            Self::V1Beta1 => "policy/v1beta1",
        }
    }
}

/// Makes a budget that lets one pod at a time be evicted.
pub(super) fn budget(run: &RunId, version: PolicyVersion) -> Value {
    json!({
        "apiVersion": version.as_str(),
        "kind": "PodDisruptionBudget",
        "metadata": { "name": FLEET, "labels": labels(run, FLEET) },
        "spec": {
            "maxUnavailable": 1,
            "selector": { "matchLabels": { ROLE_LABEL: POD_ROLE } },
        },
    })
}

/// Makes the request for an eviction.
pub(super) fn eviction(pod: &str, namespace: &str, version: PolicyVersion) -> Value {
    json!({
        "apiVersion": version.as_str(),
        "kind": "Eviction",
        "metadata": { "name": pod, "namespace": namespace },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        "abc123".parse().expect("valid")
    }

    #[test]
    fn another_revision_is_another_template_and_the_pods_are_those_of_the_service() {
        let of = |revision| deployment(&run(), Pod::default(), 2, revision).spec;
        assert_ne!(of(1).template, of(2).template);
        let labels = of(1).template.metadata.and_then(|metadata| metadata.labels);
        let selector = crate::kube::api::objects::service(&run())
            .spec
            .and_then(|spec| spec.selector);
        let (labels, selector) = (labels.expect("labels"), selector.expect("a selector"));
        assert!(
            selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
        );
    }
}
