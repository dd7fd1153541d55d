//! What a cluster can do for the suite, why it cannot do the rest, and what the report says of it.

use std::collections::BTreeMap;

use crate::kube::api::connection::Release;
use crate::kube::api::image_names::ImageNames;
use crate::kube::delivery::image_census::Digests;
use crate::kube::space::observing::Observing;
use crate::kube::trials::admission_trial::PodAdmission;
use crate::kube::trials::node_census::NodeCensus;
use crate::kube::trials::service_trial::ServiceReach;
use crate::kube::trials::terminating_trial::TerminatingReach;
use harness_artifacts::image::{ImageRole, is_in_no_registry};
use harness_core::model::feature::{Feature, FeatureSet};

/// Whether the agent's image is on the nodes before its first pod is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presence {
    OnNodes,
    Unknown,
}

/// What every cluster can do.
const ALWAYS: [Feature; 6] = [
    Feature::AgentService,
    Feature::ImagePull,
    Feature::MemoryLimits,
    Feature::RunAsUser,
    Feature::StartupProbeHttp,
    Feature::StartupProbeTcp,
];
/// What kubelets can do from a release of Kubernetes 1 on.
const BY_RELEASE: [(u32, Feature); 4] = [
    (19, Feature::SeccompProfile),
    (24, Feature::StartupProbeGrpc),
    (29, Feature::NativeSidecar),
    (30, Feature::PreStopSleep),
];

/// What was found out about a cluster before the first scenario.
#[derive(Debug)]
pub(super) struct Capabilities {
    pub release: Release,
    /// What the API says of itself, for the report.
    pub cluster: BTreeMap<String, String>,
    pub observing: Observing,
    pub services: ServiceReach,
    pub terminating: TerminatingReach,
    pub nodes: NodeCensus,
    pub admission: PodAdmission,
    pub images: ImageNames,
    pub presence: Presence,
    pub digests: Digests,
}

impl Capabilities {
    /// Returns the features that follow.
    pub(super) fn features(&self) -> FeatureSet {
        let mut features = FeatureSet::from(ALWAYS);
        features.extend(self.services.features());
        features.extend(self.terminating.features());
        features.extend(self.nodes.features());
        features.extend(self.admission.features());
        features.extend(self.observing.features());
        match self.digests {
            Digests::Known => {
                features.insert(Feature::ImageDigests);
            }
            Digests::Unknown => {}
        }
        match self.presence {
            Presence::OnNodes => {
                features.insert(Feature::ImagesOnNodes);
            }
            Presence::Unknown => {}
        }
        let agent = self.images.of(ImageRole::Agent);
        if agent.is_some_and(is_in_no_registry) {
            features.insert(Feature::ImagesInNoRegistry);
        }
        let by_release = BY_RELEASE.into_iter();
        features.extend(
            by_release
                .filter(|(minor, _)| self.release.is_at_least(*minor))
                .map(|(_, feature)| feature),
        );
        features
    }

    /// Returns why a feature is missing, where more than its name can be said.
    pub(super) fn why_not(&self, feature: Feature) -> Option<String> {
        if feature == Feature::Rollout {
            return self.services.why_no_rollout();
        }
        if feature == Feature::NodeDrain {
            return Some(self.nodes.why_no_drain());
        }
        if feature == Feature::ResourceUsage {
            return Some("a pod's processes are looked into on this machine only".into());
        }
        if feature == Feature::PodSecurityAdmission {
            return Some(self.admission.fact());
        }
        let reason = self.terminating.why_not(feature);
        reason.or_else(|| self.observing.why_not(feature))
    }

    /// Returns what the report says of the cluster.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.cluster.clone();
        for role in ImageRole::ALL {
            if let Some(name) = self.images.of(role) {
                facts.insert(format!("image of the {role}"), name.to_owned());
            }
        }
        facts.insert("containers are looked into".into(), self.observing.fact());
        facts.insert("services".into(), self.services.fact());
        facts.insert(
            "services of pods that are being deleted".into(),
            self.terminating.fact(),
        );
        if let Some(fact) = self.nodes.fact() {
            facts.insert("nodes".into(), fact);
        }
        facts.insert("pod security admission".into(), self.admission.fact());
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(minor: u32, observing: Observing) -> Capabilities {
        Capabilities {
            release: Release::of(1, minor),
            cluster: BTreeMap::new(),
            observing,
            services: ServiceReach::NotTried,
            terminating: TerminatingReach::NotTried,
            nodes: NodeCensus::Foreign,
            admission: PodAdmission::NotTried,
            images: ImageNames::default().with(ImageRole::Agent, "registry.example.com/agent:1"),
            presence: Presence::Unknown,
            digests: Digests::Unknown,
        }
    }

    #[test]
    fn a_release_brings_what_its_kubelets_can_do() {
        let old = capabilities(20, Observing::Allowed).features();
        assert!(old.contains(&Feature::SeccompProfile));
        assert!(!old.contains(&Feature::NativeSidecar));
        let new = capabilities(30, Observing::Allowed).features();
        for (_, feature) in BY_RELEASE {
            assert!(new.contains(&feature), "{feature}");
        }
    }

    #[test]
    fn what_the_cluster_forbids_is_missing_with_its_message() {
        let message = "PodSecurityPolicy: unable to admit pod".to_owned();
        let found = capabilities(20, Observing::Forbidden { message });
        assert!(!found.features().contains(&Feature::PreStopExec));
        for said in [
            found.why_not(Feature::PreStopExec).unwrap_or_default(),
            found.facts()["containers are looked into"].clone(),
        ] {
            assert!(said.contains("unable to admit pod"), "{said}");
        }
        assert_eq!(found.why_not(Feature::NativeSidecar), None);
    }

    #[test]
    fn what_is_known_of_images_is_reported_and_nothing_else_claimed() {
        let mut found = capabilities(20, Observing::Allowed);
        let images = [
            Feature::ImageDigests,
            Feature::ImagesInNoRegistry,
            Feature::ImagesOnNodes,
        ];
        assert!(found.features().is_disjoint(&FeatureSet::from(images)));
        found.digests = Digests::Known;
        found.presence = Presence::OnNodes;
        assert!(found.features().contains(&Feature::ImageDigests));
        assert!(found.features().contains(&Feature::ImagesOnNodes));
        let facts = found.facts();
        assert!(
            facts
                .values()
                .any(|fact| fact == "registry.example.com/agent:1")
        );
    }
}
