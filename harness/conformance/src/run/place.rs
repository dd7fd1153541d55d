//! Where the pods of a run run, as the user chose it.

use crate::report::record::PlaceRecord;
use harness_artifacts::image::ImageRole;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_environment::kube::{ClusterChoice, ClusterNodes, ImageChoice, ImageDelivery, Keeping};

/// Where the pods run.
#[derive(Clone, Debug, Default)]
pub enum Place {
    /// Namespaces of this machine.
    #[default]
    Local,
    /// A cluster.
    Kubernetes(KubernetesPlace),
}

/// What the user chose of a cluster.
#[derive(Clone, Debug)]
pub struct KubernetesPlace {
    /// `--environment`, `--context`, `--node-image`.
    pub cluster: ClusterChoice,
    /// `--agent-image` and its like.
    pub images: ImageChoice,
    /// `--keep`.
    pub keeping: Keeping,
}

/// Scenarios under way per core: most of a lifecycle scenario is waiting.
const JOBS_PER_CORE: usize = 3;
/// The same in a cluster, where each pod costs a kubelet, a container runtime and an API server their time as well.
const JOBS_PER_CORE_OF_A_CLUSTER: usize = 2;

impl Place {
    /// Returns how many scenarios run at the same time on so many cores, where the user does not say. The nodes of a cluster that is made share them.
    pub fn jobs(&self, cores: usize) -> usize {
        match self {
            Self::Local => cores * JOBS_PER_CORE,
            Self::Kubernetes(place) => {
                let nodes = match &place.cluster {
                    ClusterChoice::Existing { .. } => 1,
                    ClusterChoice::Made { nodes, .. } => usize::from(nodes.count.unwrap_or(1)),
                };
                (cores * JOBS_PER_CORE_OF_A_CLUSTER / nodes.max(1)).max(1)
            }
        }
    }

    /// Returns the environment that this is in.
    pub fn environment(&self) -> EnvironmentKind {
        match self {
            Self::Local => EnvironmentKind::Local,
            Self::Kubernetes(place) => place.cluster.kind(),
        }
    }

    /// Returns what was asked for, for a replay; none for `local`.
    pub fn record(&self) -> Option<PlaceRecord> {
        let Self::Kubernetes(place) = self else {
            return None;
        };
        let (context, nodes) = match &place.cluster {
            ClusterChoice::Existing { context } => (context.clone(), ClusterNodes::default()),
            ClusterChoice::Made { nodes, .. } => (None, nodes.clone()),
        };
        let images = &place.images;
        let (image_load, registry) = match &images.delivery {
            ImageDelivery::Command(command) => (Some(command.to_string()), None),
            ImageDelivery::None => (None, None),
            ImageDelivery::Registry(prefix) => (None, Some(prefix.to_string())),
        };
        Some(PlaceRecord {
            environment: place.cluster.kind(),
            context,
            node_image: nodes.image,
            nodes: nodes.count,
            keep: place.keeping == Keeping::Keep,
            images: ImageRole::ALL
                .into_iter()
                .filter_map(|role| Some((role, images.named.of(role)?.to_owned())))
                .collect(),
            image_load,
            registry,
            pull_policy: Some(images.pull_policy),
            pull_secret: images.pull_secret.as_ref().map(ToString::to_string),
            expected_digests: images.expected_digests.clone(),
        })
    }
}
