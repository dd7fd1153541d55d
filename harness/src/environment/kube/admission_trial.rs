//! Tries whether the cluster refuses a pod by the standard that its namespace enforces, before scenarios rely on it.
//!
//! The label means nothing to a cluster without Pod Security admission, and the version does not tell: it can be switched off.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};

use super::fault::{bounded, fault, is_refused_by_policy};
use super::labels::run_name;
use super::objects;
use super::options::Trial;
use super::run_space::RunSpace;
use crate::environment::EnvironmentFault;
use crate::model::admission::PodSecurityStandard;
use crate::model::feature::{Feature, FeatureSet};

/// What became of a pod that must be refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PodAdmission {
    /// It was refused, for the standard.
    Enforced,
    /// It was let in, or refused for another reason, in words.
    NotEnforced(String),
    /// No scenario needs to know.
    NotTried,
}

impl PodAdmission {
    /// Returns what the report says of it.
    pub(super) fn fact(&self) -> String {
        match self {
            Self::Enforced => "pods are refused by the standard of their namespace".into(),
            Self::NotEnforced(words) => words.clone(),
            Self::NotTried => "not tried: no selected scenario needs it".into(),
        }
    }

    /// Returns the features that follow from it.
    pub(super) fn features(&self) -> FeatureSet {
        match self {
            Self::Enforced => FeatureSet::from([Feature::PodSecurityAdmission]),
            Self::NotEnforced(_) | Self::NotTried => FeatureSet::new(),
        }
    }
}

/// Asks for a pod without a security context in a namespace that enforces *restricted*; nothing but the namespace is made.
pub(super) async fn try_admission(
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
    let pod = objects::driver(&space.run, &space.images.driver);
    let action = "try whether a pod is refused";
    let admission = match bounded(action, pods.create(&parameters, &pod)).await? {
        Ok(_) => PodAdmission::NotEnforced(format!(
            "a pod without a security context was let into a namespace that enforces `{standard}`"
        )),
        Err(kube::Error::Api(status)) if is_refused_by_policy(&status) => PodAdmission::Enforced,
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
            PodAdmission::NotEnforced(format!(
                "a pod was refused, but by no policy: {}",
                status.message
            ))
        }
        Err(error) => return Err(fault(action, &error)),
    };
    space.remove_namespace(&namespace).await;
    Ok(admission)
}
