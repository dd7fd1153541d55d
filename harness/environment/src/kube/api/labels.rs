//! How everything that the harness makes in a cluster is named and marked.

use std::collections::BTreeMap;

use harness_core::model::digest::sha256;
use harness_core::model::identity::{PodName, RunId};

/// The label that carries the run's id. What does not have it is never touched.
pub(in crate::kube) const RUN_LABEL: &str = "conformance/run";
/// The label by which the pods differ.
pub(in crate::kube) const ROLE_LABEL: &str = "conformance/role";
/// Kubernetes' own label: the Pod Security Standard that a namespace enforces.
pub(super) const ENFORCE_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// The annotation that says which process owns a namespace.
pub(in crate::kube) const OWNER_ANNOTATION: &str = "conformance/owner";
/// The annotation that says for what a namespace is.
pub(in crate::kube) const PURPOSE_ANNOTATION: &str = "conformance/purpose";
/// Who changes fields by server-side apply.
pub(in crate::kube) const FIELD_MANAGER: &str = "conformance";
/// What the names of namespaces and clusters begin with.
pub(in crate::kube) const PREFIX: &str = "conformance-";

/// How much of a purpose's digest is in a namespace's name.
const DIGEST_LENGTH: usize = 10;

/// Names the run's own namespace; also its cluster, where it has made one.
pub(in crate::kube) fn run_name(run: &RunId) -> String {
    format!("{PREFIX}{run}")
}

/// Names the namespace of a pod under test.
pub(in crate::kube) fn pod_namespace(name: &PodName) -> String {
    let digest = sha256(name.purpose.as_bytes());
    format!("{PREFIX}{}-{}", name.run, &digest[..DIGEST_LENGTH])
}

/// Returns the labels of an object of a run.
pub(in crate::kube) fn labels(run: &RunId, role: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (RUN_LABEL.to_owned(), run.to_string()),
        (ROLE_LABEL.to_owned(), role.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_a_valid_name_however_long_the_scenarios_is() {
        let name = PodName {
            run: "0123456789abcdef0123456789abcdef".parse().expect("valid"),
            purpose: "very-".repeat(60),
        };
        let namespace = pod_namespace(&name);
        assert!(namespace.len() <= 63, "{namespace}");
        assert!(namespace.starts_with("conformance-0123456789abcdef"));
    }
}
