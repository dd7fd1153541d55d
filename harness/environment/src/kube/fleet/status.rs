//! Decides from a Deployment's status and from its pods whether it has settled.

use k8s_openapi::api::apps::v1::Deployment;

/// Says what is missing until the Deployment has settled, in one line; nothing when it has.
///
/// The conditions are those of `kubectl rollout status`, and that no pod of an earlier template is left: `pods_left` are those of which
/// something runs, ready or not.
pub(super) fn unsettled(deployment: &Deployment, pods_left: usize) -> Option<String> {
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let known = status.observed_generation >= deployment.metadata.generation;
    let [there, updated, available] = [
        status.replicas,
        status.updated_replicas,
        status.available_replicas,
    ]
    .map(Option::unwrap_or_default);
    let settled = known
        && [there, updated, available] == [wanted; 3]
        && i32::try_from(pods_left) == Ok(wanted);
    (!settled).then(|| {
        format!(
            "of {wanted} pods {there} are there, {updated} are up to date, {available} are available; \
             {pods_left} have not ended{}",
            if known {
                ""
            } else {
                "; the last change has not been seen yet"
            }
        )
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{DeploymentSpec, DeploymentStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::*;

    fn settled() -> Deployment {
        Deployment {
            metadata: ObjectMeta {
                generation: Some(3),
                ..ObjectMeta::default()
            },
            spec: DeploymentSpec {
                replicas: Some(2),
                ..DeploymentSpec::default()
            },
            status: Some(DeploymentStatus {
                observed_generation: Some(3),
                replicas: Some(2),
                updated_replicas: Some(2),
                available_replicas: Some(2),
                ..DeploymentStatus::default()
            }),
        }
    }

    #[test]
    fn a_fleet_has_settled_when_every_count_is_right_and_no_old_pod_is_left() {
        assert_eq!(unsettled(&settled(), 2), None);
        assert!(unsettled(&settled(), 3).is_some(), "an old pod is left");
        assert!(unsettled(&settled(), 1).is_some(), "a pod is not known yet");
    }

    #[test]
    fn a_status_of_an_earlier_change_does_not_count() {
        let mut deployment = settled();
        deployment.metadata.generation = Some(4);
        let said = unsettled(&deployment, 2).expect("unsettled");
        assert!(said.contains("has not been seen yet"), "{said}");
    }

    #[test]
    fn a_pod_that_is_not_available_or_of_an_old_template_is_waited_for() {
        for change in [
            |status: &mut DeploymentStatus| status.available_replicas = Some(1),
            |status: &mut DeploymentStatus| status.updated_replicas = None,
            |status: &mut DeploymentStatus| status.replicas = Some(3),
        ] {
            let mut deployment = settled();
            change(deployment.status.as_mut().expect("a status"));
            assert!(unsettled(&deployment, 2).is_some());
        }
    }
}
