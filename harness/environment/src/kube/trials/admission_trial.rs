//! Tries whether the cluster refuses a pod by the standard that its namespace enforces, before scenarios rely on it.
//!
//! The label means nothing to a cluster without Pod Security admission, and the version does not show it: admission can be switched off.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};

use crate::EnvironmentFault;
use crate::kube::api::fault::{bounded, fault};
use crate::kube::api::labels::run_name;
use crate::kube::api::objects;
use crate::kube::space::run_space::RunSpace;
use crate::kube::trials::trial::Trial;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::pod_security::PodSecurityStandard;

/// What became of a pod that must be refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) enum PodAdmission {
    /// It was refused, for the standard.
    Enforced,
    /// It was let in, or refused for another reason, which follows.
    NotEnforced(String),
    /// No scenario needs to know.
    NotTried,
}

/// The pod that is tried.
const TRIAL: &str = "admission-trial";
/// What is asked.
const ACTION: &str = "try whether a pod is refused";

impl PodAdmission {
    /// Reads what the API answers to a pod that the standard does not allow. Another policy's refusal, as of a webhook, says nothing of the
    /// standard: a pod that violates only the standard might be let in.
    fn of<T>(
        answer: Result<T, kube::Error>,
        standard: PodSecurityStandard,
    ) -> Result<Self, EnvironmentFault> {
        match answer {
            Ok(_) => Ok(Self::NotEnforced(format!(
                "a pod without a security context was let into a namespace that enforces `{standard}`"
            ))),
            Err(kube::Error::Api(status))
                if status
                    .message
                    .contains(&format!("violates PodSecurity \"{standard}:")) =>
            {
                Ok(Self::Enforced)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                Ok(Self::NotEnforced(format!(
                    "a pod was refused, but not by the standard of its namespace: {}",
                    status.message
                )))
            }
            Err(error) => Err(fault(ACTION, &error)),
        }
    }

    /// Returns what the report says of it.
    pub(in crate::kube) fn fact(&self) -> String {
        match self {
            Self::Enforced => "pods are refused by the standard of their namespace".into(),
            Self::NotEnforced(words) => words.clone(),
            Self::NotTried => "not tried: no selected scenario needs it".into(),
        }
    }

    /// Returns the features that follow from it.
    pub(in crate::kube) fn features(&self) -> FeatureSet {
        match self {
            Self::Enforced => FeatureSet::from([Feature::PodSecurityAdmission]),
            Self::NotEnforced(_) | Self::NotTried => FeatureSet::new(),
        }
    }
}

/// Asks for a pod without a security context in a namespace that enforces *restricted*; nothing but the namespace is made.
pub(in crate::kube) async fn try_admission(
    space: &RunSpace,
    trial: Trial,
) -> Result<PodAdmission, EnvironmentFault> {
    match trial {
        Trial::Needed => {}
        Trial::NotNeeded => return Ok(PodAdmission::NotTried),
    }
    let name = format!("{}-admission", run_name(&space.run));
    let standard = PodSecurityStandard::Restricted;
    let purpose = "whether Pod Security admission refuses a pod";
    let namespace = space.make_namespace(&name, purpose, Some(standard)).await?;
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), &name);
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pod = objects::unconfined(TRIAL, &space.run, &space.images.driver);
    let answer = bounded(ACTION, pods.create(&parameters, &pod)).await?;
    let admission = PodAdmission::of(answer, standard)?;
    space.remove_namespace(&namespace).await;
    Ok(admission)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::kubernetes_1_25(
        403,
        "pods \"admission-trial\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"admission-trial\" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"admission-trial\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"admission-trial\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \"admission-trial\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
        FeatureSet::from([Feature::PodSecurityAdmission])
    )]
    #[case::another_standard(
        403,
        "pods \"admission-trial\" is forbidden: violates PodSecurity \"baseline:latest\": privileged",
        FeatureSet::new()
    )]
    #[case::webhook(
        400,
        "admission webhook \"policies.example.com\" denied the request: no image of this registry",
        FeatureSet::new()
    )]
    #[case::quota(
        403,
        "pods \"admission-trial\" is forbidden: exceeded quota: q, requested: pods=1",
        FeatureSet::new()
    )]
    fn only_the_standards_own_refusal_shows_that_it_is_enforced(
        #[case] code: u16,
        #[case] message: &str,
        #[case] features: FeatureSet,
    ) {
        let status = kube::core::Status::failure(message, "Forbidden").with_code(code);
        let answer = Err::<(), _>(kube::Error::Api(Box::new(status)));
        let admission =
            PodAdmission::of(answer, PodSecurityStandard::Restricted).expect("an answer");
        assert_eq!(admission.features(), features);
        if features.is_empty() {
            assert!(admission.fact().contains(message), "{}", admission.fact());
        }
    }

    #[test]
    fn a_pod_that_is_let_in_shows_that_nothing_is_enforced() {
        let admission =
            PodAdmission::of(Ok(()), PodSecurityStandard::Restricted).expect("an answer");
        assert_eq!(admission.features(), FeatureSet::new());
    }
}
