//! Asks for a share of a node's processors for containers that ask for none: they would be run with what everybody else on the node leaves over.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// What a container of a pod under test asks for. It is little, so that many pods fit on a small node, and puts the pod into the class
/// [Burstable](https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/): all pods of the class `BestEffort` together have a share of 2, where the
/// kubelet has 1024.
pub(super) const UNDER_TEST: &str = "10m";
/// What the driver, the observers and other pods that serve a run ask for, of which there are few.
pub(super) const SERVING: &str = "50m";

const PROCESSOR: &str = "cpu";

/// Makes each container that asks for none ask for this much.
pub(super) fn ask_for_processor(spec: &mut PodSpec, share: &str) {
    let containers = spec
        .containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten());
    for container in containers {
        let resources = container.resources.get_or_insert_default();
        // A limit is a request where there is no other.
        if !names_processor(resources.requests.as_ref())
            && !names_processor(resources.limits.as_ref())
        {
            let requests = resources.requests.get_or_insert_default();
            requests.insert(PROCESSOR.into(), Quantity(share.into()));
        }
    }
}

fn names_processor(quantities: Option<&BTreeMap<String, Quantity>>) -> bool {
    quantities.is_some_and(|quantities| quantities.contains_key(PROCESSOR))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, ResourceRequirements};

    use super::*;

    fn quantities(name: &str, quantity: &str) -> BTreeMap<String, Quantity> {
        BTreeMap::from([(name.to_owned(), Quantity(quantity.into()))])
    }

    fn asked_by(resources: Option<ResourceRequirements>) -> ResourceRequirements {
        let container = Container {
            resources,
            ..Container::default()
        };
        let mut spec = PodSpec {
            containers: vec![container.clone()],
            init_containers: Some(vec![container]),
            ..PodSpec::default()
        };
        ask_for_processor(&mut spec, UNDER_TEST);
        let initial = spec.init_containers.expect("there is one");
        assert_eq!(initial[0], spec.containers[0]);
        spec.containers.remove(0).resources.expect("they are there")
    }

    #[test]
    fn a_container_that_asks_for_none_gets_a_share_and_keeps_the_rest() {
        let share = Some(quantities("cpu", UNDER_TEST));
        assert_eq!(asked_by(None).requests, share);
        let limits = Some(quantities("memory", "64Mi"));
        let resources = asked_by(Some(ResourceRequirements {
            limits: limits.clone(),
            ..ResourceRequirements::default()
        }));
        assert_eq!((resources.limits, resources.requests), (limits, share));
    }

    #[test]
    fn a_container_that_asks_itself_is_left_alone() {
        let own = Some(quantities("cpu", "2"));
        let requesting = ResourceRequirements {
            requests: own.clone(),
            ..ResourceRequirements::default()
        };
        let limited = ResourceRequirements {
            limits: own,
            ..ResourceRequirements::default()
        };
        for resources in [requesting, limited] {
            assert_eq!(asked_by(Some(resources.clone())), resources);
        }
    }
}
