//! Whether a cluster lets the harness look into containers, and what follows.

use crate::EnvironmentFault;
use crate::kube::api::fault::{fault, is_refused_by_policy};
use harness_core::model::feature::{Feature, FeatureSet};

/// What the API is asked, after "cannot".
pub(super) const TRY_OBSERVER: &str = "try a privileged pod";

/// Whether the cluster lets the harness look into containers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) enum Observing {
    /// A privileged pod is let in.
    Allowed,
    /// A policy of the cluster refuses it.
    Forbidden {
        /// The policy's message.
        message: String,
    },
}

impl Observing {
    /// Reads what the API answers to a privileged pod. Only a policy's refusal says that there is none to be had: where a permission is missing, a
    /// quota is used up or the pod is malformed, the cluster has not been asked yet.
    pub(in crate::kube) fn of<T>(answer: Result<T, kube::Error>) -> Result<Self, EnvironmentFault> {
        match answer {
            Ok(_) => Ok(Self::Allowed),
            Err(kube::Error::Api(status)) if is_refused_by_policy(&status) => Ok(Self::Forbidden {
                message: status.message,
            }),
            Err(error) => Err(fault(TRY_OBSERVER, &error)),
        }
    }

    /// Returns what the report says of it.
    pub(in crate::kube) fn fact(&self) -> String {
        match self {
            Self::Allowed => "by a privileged pod on the node".into(),
            Self::Forbidden { message } => {
                format!("not possible: the cluster lets no privileged pod in: {message}")
            }
        }
    }

    /// Returns the features that follow from it: when a hook ends, what is in a read-only root's volumes, and how a container is paused,
    /// only its node can report.
    pub(in crate::kube) fn features(&self) -> FeatureSet {
        match self {
            Self::Allowed => FeatureSet::from(NEED_THE_NODE),
            Self::Forbidden { .. } => FeatureSet::new(),
        }
    }

    /// Returns why a feature is missing that a look at the node would give.
    pub(in crate::kube) fn why_not(&self, feature: Feature) -> Option<String> {
        match self {
            Self::Forbidden { .. } if NEED_THE_NODE.contains(&feature) => {
                Some(format!("looking into containers is {}", self.fact()))
            }
            Self::Allowed | Self::Forbidden { .. } => None,
        }
    }
}

/// The features that a look at the node gives.
const NEED_THE_NODE: [Feature; 3] = [
    Feature::ContainerFaults,
    Feature::PreStopExec,
    Feature::ReadOnlyRootfs,
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn answer(code: u16, message: &str) -> Result<(), kube::Error> {
        let status = kube::core::Status::failure(message, "Forbidden").with_code(code);
        Err(kube::Error::Api(Box::new(status)))
    }

    #[rstest]
    #[case::pod_security(
        403,
        "pods \"observer\" is forbidden: violates PodSecurity \"baseline:latest\": privileged (container \"observer\" must not set securityContext.privileged=true)"
    )]
    #[case::pod_security_policy(
        403,
        "pods \"observer\" is forbidden: PodSecurityPolicy: unable to admit pod: [spec.containers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed]"
    )]
    #[case::openshift(
        403,
        "pods \"observer\" is forbidden: unable to validate against any security context constraint: [provider \"restricted\": Forbidden: not usable by user or serviceaccount]"
    )]
    #[case::webhook(
        400,
        "admission webhook \"policies.example.com\" denied the request: no privileged pods"
    )]
    #[case::api_server(
        422,
        "Pod \"observer\" is invalid: spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy"
    )]
    fn a_policys_refusal_is_a_missing_feature_with_the_policys_message(
        #[case] code: u16,
        #[case] message: &str,
    ) {
        let observing = Observing::of(answer(code, message)).expect("an answer");
        assert_eq!(observing.features(), FeatureSet::new());
        for feature in NEED_THE_NODE {
            let reason = observing.why_not(feature).expect("a reason");
            assert!(reason.contains(message), "{reason}");
        }
        assert_eq!(observing.why_not(Feature::Rollout), None);
    }

    #[rstest]
    #[case::permission(
        403,
        "pods is forbidden: User \"x\" cannot create resource \"pods\" in API group \"\" in the namespace \"n\""
    )]
    #[case::quota(
        403,
        "pods \"observer\" is forbidden: exceeded quota: q, requested: pods=1"
    )]
    #[case::webhook_that_is_down(
        500,
        "Internal error occurred: failed calling webhook \"x\": connection refused"
    )]
    #[case::malformed(422, "Pod \"observer\" is invalid: spec.nodeName: Invalid value")]
    fn what_is_refused_by_no_policy_is_a_fault(#[case] code: u16, #[case] message: &str) {
        let fault = Observing::of(answer(code, message)).expect_err("a fault");
        assert!(fault.to_string().contains(message), "{fault}");
    }

    #[test]
    fn where_a_privileged_pod_is_let_in_the_node_reports() {
        let observing = Observing::of(Ok(())).expect("an answer");
        assert_eq!(observing.features(), FeatureSet::from(NEED_THE_NODE));
        assert_eq!(observing.why_not(Feature::PreStopExec), None);
    }
}
