//! Makes a cluster that outlives the command: runs attach to it until its lease is over.

use jiff::Timestamp;

use crate::EnvironmentFault;
use crate::kube::api::image_names::ImageNames;
use crate::kube::api::labels::run_name;
use crate::kube::cluster::choice::ClusterNodes;
use crate::kube::cluster::down::sweep_leases;
use crate::kube::cluster::keeping::Keeping;
use crate::kube::cluster::kept::{attach, loaded};
use crate::kube::cluster::lease::{Lease, LeasePurpose};
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::made::{MadeCluster, Making};
use crate::kube::cluster::node_image::node_image_for;
use crate::kube::cluster::tool::ClusterTool;
use harness_artifacts::image::{ImageRole, Images};
use harness_core::model::identity::RunId;
use harness_core::model::timespan::TimeSpan;

/// What `up` is asked for.
#[derive(Debug)]
pub struct UpOptions {
    /// What makes the cluster.
    pub tool: ClusterTool,
    /// Its nodes.
    pub nodes: ClusterNodes,
    /// How long it is kept from now on.
    pub lasting: TimeSpan,
    /// The id that its name carries.
    pub run: RunId,
    /// The images that are loaded.
    pub built: Images,
    /// The folder of leases.
    pub leases: LeaseFolder,
    /// The folder in which later runs find which clusters are whose.
    pub records: camino::Utf8PathBuf,
}

/// What `up` has come to.
#[derive(Debug)]
pub enum Raised {
    /// A cluster was made.
    Made(Lease),
    /// One was there, and is kept for longer.
    WasThere(Lease),
}

/// Makes a cluster that runs attach to, with the images in it, or keeps the one that there is for longer.
///
/// # Errors
///
/// When the cluster cannot be made or reached, or the images cannot be loaded. What was made until then is removed.
pub async fn up(
    options: UpOptions,
    say: &(impl Fn(&str) + Sync),
) -> Result<Raised, EnvironmentFault> {
    let UpOptions {
        tool, ref leases, ..
    } = options;
    let until = Timestamp::now()
        .checked_add(options.lasting.as_duration())
        .map_err(|error| EnvironmentFault::Unsuitable {
            reason: format!(
                "no clock shows the moment {} from now: {error}",
                options.lasting
            ),
            hint: "keep it for a shorter time".into(),
        })?;
    let purpose = LeasePurpose::ForRunsUntil(until);
    sweep_leases(leases, &[tool]).await?;
    if let Some(mut kept) = attach(tool, &options.nodes, leases, say).await? {
        kept.load_what_changed(&options.built, &ImageNames::default(), say)
            .await?;
        kept.lease.purpose = purpose;
        leases.write(&kept.lease)?;
        return Ok(Raised::WasThere(kept.lease));
    }
    if let Some(other) = leases.for_runs(tool)? {
        return Err(EnvironmentFault::Cluster {
            action: format!("keep another cluster of {} between runs", tool.name()),
            detail: format!("{} is kept already, with other nodes", other.name),
            hint: Some("`conformance down` removes it".into()),
        });
    }
    let nodes = ClusterNodes {
        image: node_image_for(tool, options.nodes.image).await,
        count: options.nodes.count,
    };
    let name = run_name(&options.run);
    let mut lease = Lease::new(&name, tool, &nodes, purpose, leases.kubeconfig_of(&name));
    leases.make()?;
    let making = Making {
        tool,
        nodes: &nodes,
        name: &name,
        kubeconfig: lease.kubeconfig.clone(),
        records: &options.records,
        keeping: Keeping::Remove,
    };
    let mut cluster = MadeCluster::make(making, say).await?;
    let filled = cluster
        .load(&options.built, &ImageNames::default(), say)
        .await;
    let written = filled.and_then(|()| {
        for role in ImageRole::ALL {
            lease.images.insert(role, loaded(&options.built, role));
        }
        Ok(leases.write(&lease)?)
    });
    match written {
        Ok(()) => {
            cluster.release();
            Ok(Raised::Made(lease))
        }
        Err(error) => {
            // Only the error that came first is reported.
            let _ = cluster.remove().await;
            Err(error)
        }
    }
}
