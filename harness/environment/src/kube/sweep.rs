//! Removes what runs have left behind whose process is gone: clusters that this user's runs have made, and namespaces of such runs.

use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ListParams};

use super::cluster_tool::ClusterTool;
use super::connection::{Connection, Source};
use super::fault::ask;
use super::keep::remove_until_gone;
use super::labels::{OWNER_ANNOTATION, PREFIX, RUN_LABEL};
use super::lease_folder::LeaseFolder;
use super::ownership::Owner;
use super::run_space::{RunNamespace, delete_namespace};
use crate::EnvironmentFault;

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

/// Removes what is left in the cluster of a context of the kubeconfig; returns its namespaces' names.
///
/// # Errors
///
/// When the cluster cannot be reached or one cannot be removed.
pub async fn sweep_context(context: Option<String>) -> Result<Vec<String>, EnvironmentFault> {
    let connection = Connection::open(&Source::Context(context)).await?;
    sweep_namespaces(&connection.client).await
}

/// Removes the namespaces of a cluster of which the owner is gone; returns their names. Those without a run's label or without an owner
/// are somebody's: they stay.
pub(super) async fn sweep_namespaces(client: &Client) -> Result<Vec<String>, EnvironmentFault> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let labelled = ListParams::default().labels(RUN_LABEL);
    let list = ask(
        "list the namespaces of earlier runs",
        namespaces.list_metadata(&labelled),
    )
    .await?;
    let mut removed = Vec::new();
    for namespace in list.items {
        let metadata = namespace.metadata;
        let owner = metadata
            .annotations
            .as_ref()
            .and_then(|annotations| Owner::parse(annotations.get(OWNER_ANNOTATION)?));
        let is_left =
            metadata.deletion_timestamp.is_none() && owner.is_some_and(|owner| owner.is_gone());
        if is_left
            && let Some(namespace) = RunNamespace::of(metadata)
            && namespace.name.starts_with(PREFIX)
        {
            delete_namespace(client, &namespace).await?;
            removed.push(namespace.name);
        }
    }
    Ok(removed)
}

/// Writes down whose a cluster is that is about to be made; returns the record. A sweep sees all of it or none: half a record would name no
/// owner, and its cluster would be left for ever.
pub(super) fn write_record(
    records: &Utf8Path,
    tool: ClusterTool,
    cluster: &str,
    owner: &Owner,
) -> io::Result<Utf8PathBuf> {
    fs_err::create_dir_all(records)?;
    let mut file = tempfile::NamedTempFile::new_in(records)?;
    file.write_all(owner.to_string().as_bytes())?;
    file.as_file().sync_all()?;
    let record = records.join(format!("{cluster}.{}", tool.name()));
    file.persist(&record).map_err(|error| error.error)?;
    Ok(record)
}

/// Reads a record's name: `<cluster>.<tool>`.
fn made_by(file_name: &str) -> Option<(&str, ClusterTool)> {
    let (name, tool) = file_name.rsplit_once('.')?;
    let tool = ClusterTool::ALL
        .into_iter()
        .find(|known| known.name() == tool)?;
    name.starts_with(PREFIX).then_some((name, tool))
}

#[cfg(test)]
mod tests {
    use super::super::lease::{Lease, LeasePurpose};
    use super::*;

    #[test]
    fn only_a_record_of_a_run_names_a_cluster() {
        assert_eq!(
            made_by("conformance-abc.kind"),
            Some(("conformance-abc", ClusterTool::Kind))
        );
        assert_eq!(made_by("production.kind"), None);
        assert_eq!(made_by("conformance-abc.minikube"), None);
    }

    #[test]
    fn a_record_is_written_whole_and_nothing_else_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let owner = Owner::this_process();
        let record =
            write_record(records, ClusterTool::Kind, "conformance-abc", &owner).expect("written");
        let names: Vec<String> = records
            .read_dir_utf8()
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_owned())
            .collect();
        assert_eq!(names, ["conformance-abc.kind"]);
        let text = fs_err::read_to_string(&record).expect("read");
        assert_eq!(Owner::parse(&text), Some(owner));
    }

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
            None,
            LeasePurpose::ToLookAt,
            &leases,
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
