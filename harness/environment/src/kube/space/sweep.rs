//! Removes the namespaces that runs have left behind whose process is gone.

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::EnvironmentFault;
use crate::kube::api::connection::{ApiConnection, KubeconfigSource};
use crate::kube::api::fault::ask;
use crate::kube::api::labels::{OWNER_ANNOTATION, PREFIX, RUN_LABEL};
use crate::kube::api::ownership::Owner;
use crate::kube::space::namespace::{RunNamespace, delete_namespace};

/// Removes what is left in the cluster of a context of the kubeconfig; returns its namespaces' names.
///
/// # Errors
///
/// When the cluster cannot be reached or one cannot be removed.
pub async fn sweep_context(context: Option<String>) -> Result<Vec<String>, EnvironmentFault> {
    let connection = ApiConnection::open(&KubeconfigSource::Context(context)).await?;
    sweep_namespaces(&connection.client).await
}

/// Removes the namespaces of a cluster of which the owner is gone; returns their names. Those without a run's label or without an owner
/// belong to other users: they stay.
pub(in crate::kube) async fn sweep_namespaces(
    client: &Client,
) -> Result<Vec<String>, EnvironmentFault> {
    let mut removed = Vec::new();
    for namespace in left_namespaces(client).await? {
        delete_namespace(client, &namespace).await?;
        removed.push(namespace.name);
    }
    Ok(removed)
}

/// Returns the namespaces of a cluster that a sweep would remove.
pub(in crate::kube) async fn left_namespaces(
    client: &Client,
) -> Result<Vec<RunNamespace>, EnvironmentFault> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let labelled = ListParams::default().labels(RUN_LABEL);
    let list = ask(
        "list the namespaces of earlier runs",
        namespaces.list_metadata(&labelled),
    )
    .await?;
    let mut left = Vec::new();
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
            left.push(namespace);
        }
    }
    Ok(left)
}
