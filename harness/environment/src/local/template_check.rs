//! Says of a pod template, before anything is started, what `local` would not carry out.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;

use super::planning::{self, Privileges};
use crate::EnvironmentFault;
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::stack::Stack;

/// Returns everything for which `local` would refuse a pod of this template, each with its [`EnvironmentFault::field`]. `images` are the names,
/// without tag, that have an executable.
///
/// What scenarios set besides is not looked at: they say by `features` what it needs.
pub fn template_refusals(pod: &PodSpec, images: &BTreeSet<&str>) -> Vec<EnvironmentFault> {
    let stack = Stack {
        pod: pod.clone(),
        agents: None,
        pull_policies: BTreeMap::new(),
        own_images: BTreeSet::new(),
        namespace_enforces: None,
        terminating_endpoints: TerminatingEndpoints::default(),
        config_maps: BTreeMap::new(),
        secrets: BTreeMap::new(),
    };
    let has_image = |image: &str| images.contains(image);
    planning::refusals(&stack, &has_image, Privileges::of_this_process())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everything_that_is_not_carried_out_is_named_at_once() {
        let pod = serde_json::from_value(json!({
            "hostNetwork": true,
            "restartPolicy": "Sometimes",
            "volumes": [{ "name": "host", "hostPath": { "path": "/" } }, { "name": "empty", "emptyDir": {} }],
            "initContainers": [{ "name": "first", "image": "known" }],
            "containers": [
                {
                    "name": "Agent", "image": "known:1", "workingDir": "..",
                    "volumeMounts": [{ "name": "empty", "mountPath": "/proc/x" }, { "name": "none", "mountPath": "/x" }],
                    "livenessProbe": {}
                },
                { "name": "other", "image": "unknown:1" }
            ]
        }))
        .expect("a pod template");
        let refusals = template_refusals(&pod, &BTreeSet::from(["known"]));
        let seen: Vec<&str> = refusals
            .iter()
            .filter_map(EnvironmentFault::field)
            .collect();
        assert_eq!(
            seen,
            [
                "containers[0].livenessProbe",
                "hostNetwork",
                "volumes[0].hostPath.path",
                "restartPolicy",
                "initContainers[0].restartPolicy",
                "containers[0].name",
                "containers[0].workingDir",
                "containers[0].volumeMounts[0].mountPath",
                "containers[0].volumeMounts[1].name",
                "containers[1].image",
            ]
        );
    }
}
