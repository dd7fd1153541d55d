//! The cluster that a run uses: one that it makes, one that is kept between runs, or the user's own, which is never made or removed.

use camino::Utf8Path;

use crate::EnvironmentFault;
use crate::kube::api::connection::KubeconfigSource;
use crate::kube::api::image_names::ImageNames;
use crate::kube::api::labels::run_name;
use crate::kube::cluster::choice::{ClusterChoice, ClusterNodes};
use crate::kube::cluster::keeping::Keeping;
use crate::kube::cluster::kept::{KeptCluster, attach};
use crate::kube::cluster::lease::{Lease, LeasePurpose};
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::made::{MadeCluster, Making};
use crate::kube::cluster::node_image::node_image_for;
use harness_artifacts::image::Images;
use harness_core::model::identity::RunId;

/// What decides which cluster a run uses.
pub(in crate::kube) struct ClusterRequest<'a> {
    pub choice: &'a ClusterChoice,
    pub run: &'a RunId,
    pub keeping: Keeping,
    /// Which clusters are kept between runs.
    pub leases: &'a LeaseFolder,
    /// The folder in which later runs find which clusters are whose.
    pub records: &'a Utf8Path,
    /// The folder for the credentials of a cluster that goes with the run.
    pub folder: &'a Utf8Path,
}

/// A cluster that a run uses.
#[derive(Debug)]
pub(in crate::kube) struct Cluster(Kind);

#[derive(Debug)]
enum Kind {
    Existing(Option<String>),
    Kept(KeptCluster),
    Made(MadeCluster),
    Removed,
}

impl Cluster {
    /// Makes the cluster where it is to be made.
    pub(in crate::kube) async fn have(
        request: ClusterRequest<'_>,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let (tool, nodes) = match request.choice {
            ClusterChoice::Existing { context } => {
                return Ok(Self(Kind::Existing(context.clone())));
            }
            ClusterChoice::Made { tool, nodes } => (*tool, nodes),
        };
        if request.keeping == Keeping::Remove
            && let Some(kept) = attach(tool, nodes, request.leases, say).await?
        {
            return Ok(Self(Kind::Kept(kept)));
        }
        let nodes = &ClusterNodes {
            image: node_image_for(tool, nodes.image.clone()).await,
            count: nodes.count,
        };
        let name = run_name(request.run);
        let kubeconfig = match request.keeping {
            Keeping::Remove => request.folder.join(format!("{name}.kubeconfig")),
            Keeping::Keep => {
                let kubeconfig = request.leases.kubeconfig_of(&name);
                let to_look_at = LeasePurpose::ToLookAt;
                let lease = Lease::new(&name, tool, nodes, to_look_at, kubeconfig);
                request.leases.write(&lease)?;
                lease.kubeconfig
            }
        };
        let making = Making {
            tool,
            nodes,
            name: &name,
            kubeconfig,
            records: request.records,
            keeping: request.keeping,
        };
        let made = MadeCluster::make(making, say).await?;
        Ok(Self(Kind::Made(made)))
    }

    /// Loads the images that the user has not named others for.
    pub(in crate::kube) async fn load(
        &mut self,
        built: &Images,
        named: &ImageNames,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<(), EnvironmentFault> {
        match &mut self.0 {
            Kind::Existing(_) | Kind::Removed => Ok(()),
            Kind::Kept(kept) => kept.load_what_changed(built, named, say).await,
            Kind::Made(made) => made.load(built, named, say).await,
        }
    }

    /// Returns how many nodes it has that the harness has made; none where they are the user's.
    pub(in crate::kube) const fn own_nodes(&self) -> Option<u8> {
        match &self.0 {
            Kind::Kept(kept) => Some(kept.lease.nodes),
            Kind::Made(made) => Some(made.nodes),
            Kind::Existing(_) | Kind::Removed => None,
        }
    }

    /// Returns whether images that are built here are on its nodes once they are loaded.
    pub(in crate::kube) fn takes_archives(&self) -> bool {
        match &self.0 {
            Kind::Kept(_) | Kind::Made(_) => true,
            Kind::Existing(_) | Kind::Removed => false,
        }
    }

    /// Returns where its address and credentials are.
    pub(in crate::kube) fn source(&self) -> KubeconfigSource {
        match &self.0 {
            Kind::Existing(context) => KubeconfigSource::Context(context.clone()),
            Kind::Kept(kept) => KubeconfigSource::File(kept.lease.kubeconfig.clone()),
            Kind::Made(made) => KubeconfigSource::File(made.kubeconfig().clone()),
            Kind::Removed => KubeconfigSource::Context(None),
        }
    }

    /// Adds to a fault of the way to the cluster what can be done about one that is kept.
    pub(in crate::kube) fn explain(&self, fault: EnvironmentFault) -> EnvironmentFault {
        match (fault, &self.0) {
            (EnvironmentFault::Cluster { action, detail, .. }, Kind::Kept(kept)) => {
                EnvironmentFault::Cluster {
                    action,
                    detail,
                    hint: Some(format!(
                        "the cluster {} is kept between runs and does not answer; `conformance down` removes it",
                        kept.lease.name
                    )),
                }
            }
            (fault, _) => fault,
        }
    }

    /// Returns whether the cluster goes with the run, and everything in it.
    pub(in crate::kube) fn goes_with_the_run(&self) -> bool {
        match &self.0 {
            Kind::Made(made) => made.goes_with_its_owner(),
            Kind::Existing(_) | Kind::Kept(_) | Kind::Removed => false,
        }
    }

    /// Removes a cluster that was made for the run. Another one stays.
    pub(in crate::kube) async fn remove(&mut self) -> Result<(), EnvironmentFault> {
        if !self.goes_with_the_run() {
            return Ok(());
        }
        if let Kind::Made(made) = &mut self.0 {
            made.remove().await?;
        }
        self.0 = Kind::Removed;
        Ok(())
    }
}
