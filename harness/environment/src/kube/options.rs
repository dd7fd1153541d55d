//! What a cluster's environment is made of, and what follows from it for its images.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::EnvironmentFault;
use crate::kube::api::connection::ApiConnection;
use crate::kube::api::image_names::ImageNames;
use crate::kube::capabilities::Presence;
use crate::kube::cluster::choice::ClusterChoice;
use crate::kube::cluster::keeping::Keeping;
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::run_cluster::{Cluster, ClusterRequest};
use crate::kube::delivery::image_census::{ImageCensus, expected_digests};
use crate::kube::delivery::image_delivery::ImageDelivery;
use crate::kube::delivery::pulls::{ImagePulls, PullSecretName};
use crate::kube::space::run_space::RunImages;
use crate::kube::trials::trial::Trial;
use harness_artifacts::image::{ImageRole, Images};
use harness_core::model::identity::RunId;
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::pull_policy::PullPolicy;

/// What a cluster's environment is made of.
#[derive(Clone, Debug)]
pub struct KubeOptions {
    /// Which cluster.
    pub cluster: ClusterChoice,
    /// The run, whose id everything carries.
    pub run: RunId,
    /// Images that were built here and are loaded into a cluster that is made; none where all are named.
    pub built: Option<Images>,
    /// What the user says of images.
    pub images: ImageChoice,
    /// Whether what is made stays.
    pub keeping: Keeping,
    /// Whether a Service with two pods is tried first.
    pub service_trial: Trial,
    /// Whether a Service is tried first whose pod is being deleted.
    pub terminating_trial: Trial,
    /// Whether a pod that a namespace must refuse is tried first.
    pub admission_trial: Trial,
    /// The folder that holds the folders of runs with their short-lived files.
    pub runtime: Utf8PathBuf,
    /// Which clusters are kept between runs.
    pub leases: LeaseFolder,
    /// The folder in which later runs find which clusters are whose.
    pub records: Utf8PathBuf,
}

/// What the user says of images.
#[derive(Clone, Debug)]
pub struct ImageChoice {
    /// Images that are used in place of those that are built.
    pub named: ImageNames,
    /// How those that are built get to the nodes of a cluster that this run has not made.
    pub delivery: ImageDelivery,
    /// When the kubelet asks a registry.
    pub pull_policy: PullPolicy,
    /// What it shows the registry.
    pub pull_secret: Option<PullSecretName>,
    /// The digests that must be read back.
    pub expected_digests: BTreeMap<ImageRole, ImageDigest>,
}

impl Default for ImageChoice {
    fn default() -> Self {
        Self {
            named: ImageNames::default(),
            delivery: ImageDelivery::None,
            pull_policy: PullPolicy::IfNotPresent,
            pull_secret: None,
            expected_digests: BTreeMap::new(),
        }
    }
}

impl KubeOptions {
    /// Returns what decides which cluster is used; the credentials of one that goes with the run are kept in the folder.
    pub(super) fn cluster_request<'a>(&'a self, folder: &'a Utf8Path) -> ClusterRequest<'a> {
        ClusterRequest {
            choice: &self.cluster,
            run: &self.run,
            keeping: self.keeping,
            leases: &self.leases,
            records: &self.records,
            folder,
        }
    }

    /// Returns how images get to the nodes besides by the tool that makes the cluster.
    pub(super) fn delivery(&self) -> &ImageDelivery {
        match self.cluster {
            ClusterChoice::Existing { .. } => &self.images.delivery,
            ClusterChoice::Made { .. } => &ImageDelivery::None,
        }
    }

    /// Returns the names under which the cluster knows the run's images.
    pub(super) fn image_names(&self) -> Result<ImageNames, EnvironmentFault> {
        let mut images = self
            .built
            .as_ref()
            .map(|built| self.delivery().names(built))
            .unwrap_or_default();
        for role in ImageRole::ALL {
            if let Some(name) = self.images.named.of(role) {
                images = images.with(role, name);
            }
        }
        let missing: Vec<String> = images.missing().iter().map(ToString::to_string).collect();
        if missing.is_empty() {
            return Ok(images);
        }
        Err(EnvironmentFault::Unsuitable {
            reason: format!("no image is known for: {}", missing.join(", ")),
            hint: "name them with `--agent-image`, `--envoy-image`, `--app-image` and `--driver-image`"
                .into(),
        })
    }

    pub(super) async fn run_images(
        &self,
        connection: &ApiConnection,
        names: &ImageNames,
    ) -> Result<RunImages, EnvironmentFault> {
        let choice = &self.images;
        let pulls = ImagePulls::read(
            &connection.client,
            choice.pull_policy,
            choice.pull_secret.as_ref(),
        )
        .await?;
        let expected =
            expected_digests(&choice.expected_digests, self.built.as_ref(), &choice.named);
        Ok(RunImages {
            driver: names.of(ImageRole::Driver).unwrap_or_default().to_owned(),
            pulls,
            census: ImageCensus::new(names.clone(), expected),
        })
    }

    pub(super) fn presence(&self, cluster: &Cluster) -> Presence {
        let is_built = self.built.is_some() && self.images.named.of(ImageRole::Agent).is_none();
        let is_loaded = match self.delivery() {
            ImageDelivery::Command(_) => true,
            ImageDelivery::None => cluster.takes_archives(),
            ImageDelivery::Registry(_) => false,
        };
        // Who lets the kubelet never pull has put the images there.
        if (is_built && is_loaded) || self.images.pull_policy == PullPolicy::Never {
            Presence::OnNodes
        } else {
            Presence::Unknown
        }
    }
}
