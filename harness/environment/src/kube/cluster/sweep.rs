//! Removes the clusters that this user's runs have left behind whose process is gone.

use camino::Utf8Path;

use crate::EnvironmentFault;
use crate::kube::api::ownership::Owner;
use crate::kube::cluster::lease_folder::LeaseFolder;
use crate::kube::cluster::owner_record::made_by;
use crate::kube::cluster::removal::remove_until_gone;

/// Removes the clusters of which the owner is gone; returns their names.
///
/// # Errors
///
/// When one cannot be removed. The next sweep tries again.
pub async fn sweep(
    records: &Utf8Path,
    leases: &LeaseFolder,
) -> Result<Vec<String>, EnvironmentFault> {
    let mut removed = Vec::new();
    let Ok(entries) = records.read_dir_utf8() else {
        return Ok(removed);
    };
    for entry in entries.filter_map(Result::ok) {
        let Some((name, tool)) = made_by(entry.file_name()) else {
            continue;
        };
        let owner = fs_err::read_to_string(entry.path()).unwrap_or_default();
        if !Owner::parse(&owner).is_some_and(|owner| owner.is_gone()) {
            continue;
        }
        // One that has got its lease before its maker died is the lease's.
        if !leases.has(name) {
            let kubeconfig = records.join(format!("{name}.unused"));
            remove_until_gone(tool, name, &kubeconfig).await?;
            let _ = fs_err::remove_file(&kubeconfig);
            removed.push(name.to_owned());
        }
        let _ = fs_err::remove_file(entry.path());
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::cluster::choice::ClusterNodes;
    use crate::kube::cluster::lease::{Lease, LeasePurpose};
    use crate::kube::cluster::owner_record::write_record;
    use crate::kube::cluster::tool::ClusterTool;

    #[tokio::test]
    async fn a_living_owners_cluster_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let owner = Owner::this_process();
        let record =
            write_record(records, ClusterTool::Kind, "conformance-abc", &owner).expect("written");
        let leases = LeaseFolder::at(records.join("leases"));
        assert_eq!(
            sweep(records, &leases).await.expect("swept"),
            Vec::<String>::new()
        );
        assert!(record.exists());
    }

    #[tokio::test]
    async fn a_dead_owners_cluster_that_has_a_lease_is_left_to_the_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let leases = LeaseFolder::at(records.join("leases"));
        let lease = Lease::new(
            "conformance-abc",
            ClusterTool::Kind,
            &ClusterNodes::default(),
            LeasePurpose::ToLookAt,
            leases.kubeconfig_of("conformance-abc"),
        );
        leases.write(&lease).expect("written");
        let record = records.join("conformance-abc.kind");
        fs_err::write(&record, Owner::of_an_ended_process().to_string()).expect("written");
        assert_eq!(
            sweep(records, &leases).await.expect("swept"),
            Vec::<String>::new()
        );
        assert!(!record.exists());
        assert!(leases.has("conformance-abc"));
    }
}
