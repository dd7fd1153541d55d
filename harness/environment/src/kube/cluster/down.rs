//! Removes kept clusters: those that the user asks for, and those whose leases are over.

use jiff::Timestamp;

use crate::EnvironmentFault;
use crate::kube::cluster::lease::{Lease, LeaseError, LeasePurpose};
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::removal::remove_until_gone;
use crate::kube::cluster::tool::{ClusterTool, clusters_of};

/// Which kept clusters `down` removes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removal {
    /// Those of `up`, and those that `run --keep` left.
    All,
    /// Those of `up`.
    OfUp,
}

/// What `down` has done.
#[derive(Debug, Default)]
pub struct Removed {
    /// The clusters that are gone.
    pub removed: Vec<String>,
    /// The clusters that `run --keep` left and that stay.
    pub left: Vec<String>,
}

/// Removes kept clusters, of one tool or of all.
///
/// # Errors
///
/// When a cluster is in use by a run, or cannot be removed.
pub async fn down(
    leases: &LeaseFolder,
    tool: Option<ClusterTool>,
    removal: Removal,
) -> Result<Removed, EnvironmentFault> {
    let mut done = Removed::default();
    let list = leases.list()?.into_iter();
    for lease in list.filter(|lease| tool.is_none_or(|tool| tool == lease.tool)) {
        match (lease.purpose, removal) {
            (LeasePurpose::ToLookAt, Removal::OfUp) => done.left.push(lease.name),
            (LeasePurpose::ToLookAt, Removal::All) | (LeasePurpose::ForRunsUntil(_), _) => {
                let _alone = leases.alone(&lease)?;
                remove_until_gone(lease.tool, &lease.name, &lease.kubeconfig).await?;
                leases.forget(&lease)?;
                done.removed.push(lease.name);
            }
        }
    }
    Ok(done)
}

/// Removes the clusters whose leases are over and that no run uses, and the leases whose clusters are gone; returns their names.
///
/// # Errors
///
/// When a lease is broken or a cluster cannot be removed.
pub async fn sweep_leases(
    leases: &LeaseFolder,
    tools: &[ClusterTool],
) -> Result<Vec<String>, EnvironmentFault> {
    let mut removed = Vec::new();
    for tool in tools {
        let list = leases.list()?.into_iter();
        let of_tool: Vec<Lease> = list.filter(|lease| lease.tool == *tool).collect();
        if of_tool.is_empty() {
            continue;
        }
        let known = clusters_of(*tool).await?;
        for lease in of_tool {
            let is_there = known.contains(&lease.name);
            if is_there && !lease.is_over(Timestamp::now()) {
                continue;
            }
            let _alone = match leases.alone(&lease) {
                Ok(alone) => alone,
                // The run that uses it knows until when; a later sweep finds it again.
                Err(LeaseError::InUse { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            if is_there {
                remove_until_gone(lease.tool, &lease.name, &lease.kubeconfig).await?;
            }
            leases.forget(&lease)?;
            removed.push(lease.name);
        }
    }
    Ok(removed)
}
