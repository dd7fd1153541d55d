//! Namespaces in which a run makes one pod under test after another.
//!
//! A namespace costs an API server far more than a pod does: when it goes, every kind of object is deleted from it and listed, several times. In a
//! run of the whole suite with a namespace for each pod that was seven of ten requests to the API. A pod still has its namespace to itself
//! while it lives, and finds in it no secret, config map or pod of an earlier one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Api, DeleteParams, ListParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::EnvironmentFault;
use crate::kube::api::fault::ask_patiently;
use crate::kube::api::labels::{RUN_LABEL, run_name};
use crate::kube::space::namespace::RunNamespace;
use crate::kube::space::run_space::RunSpace;
use crate::polling::Polling;
use harness_core::model::timeouts::TimedOut;

/// How long the API may take to forget a pod that has ended.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(20);
/// Between two polls for it.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// The namespaces that are free, and how many pods there were.
#[derive(Debug, Default)]
pub(in crate::kube) struct NamespacePool {
    free: Mutex<VecDeque<RunNamespace>>,
    made: AtomicU32,
    lent: AtomicU32,
}

/// A namespace for one pod.
#[derive(Debug)]
pub(in crate::kube) struct LentNamespace {
    pub namespace: RunNamespace,
    /// Which pod of the run it is for: the events of an earlier pod stay in a namespace, under that pod's name.
    pub pod_number: u32,
}

impl NamespacePool {
    /// Lends a namespace that enforces no standard: the one that has been free for longest, or a new one.
    pub(in crate::kube) async fn lend(
        &self,
        space: &RunSpace,
    ) -> Result<LentNamespace, EnvironmentFault> {
        let pod_number = self.lent.fetch_add(1, Ordering::Relaxed) + 1;
        let free = self.free().pop_front();
        let namespace = if let Some(namespace) = free {
            space.put_pull_secret(&namespace.name).await?;
            namespace
        } else {
            let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
            let name = format!("{}-{number}", run_name(&space.run));
            let purpose = "one pod under test after another";
            space.make_namespace(&name, purpose, None).await?
        };
        Ok(LentNamespace {
            namespace,
            pod_number,
        })
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<RunNamespace>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a namespace back from a pod that has ended, and does not wait until it is clear. One that cannot be cleared is removed.
pub(in crate::kube) fn give_back(space: &Arc<RunSpace>, namespace: RunNamespace) {
    let space = space.clone();
    tokio::spawn(async move {
        match clear(&space, &namespace.name).await {
            Ok(()) => space.pool.free().push_back(namespace),
            Err(error) => {
                tracing::debug!(%error, namespace = namespace.name, "is not used again");
                space.remove_namespace(&namespace).await;
            }
        }
    });
}

/// Removes everything from a namespace that a pod's successor must not find. Its Service stays: it is the same for every pod, and without
/// endpoints once the pod is gone.
async fn clear(space: &RunSpace, namespace: &str) -> Result<(), EnvironmentFault> {
    let client = &space.client;
    let own = ListParams::default().labels(&format!("{RUN_LABEL}={}", space.run));
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    // A kubelet lets the API forget a pod only some ten seconds after its last container has ended.
    delete_all::<Pod>(client, namespace, &own).await?;
    delete_all::<Secret>(client, namespace, &own).await?;
    delete_all::<ConfigMap>(client, namespace, &own).await?;
    let mut polling = Polling::within(FORGOTTEN_WITHIN, POLL_EVERY);
    let mut left = Vec::new();
    while polling.next().await {
        left = ask_patiently("list the pods of a free namespace", |_| {
            pods.list_metadata(&own)
        })
        .await?
        .items;
        if left.is_empty() {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: format!("the pods of `{namespace}` to be gone"),
        budget: FORGOTTEN_WITHIN.into(),
        last_seen: format!("{} of them", left.len()),
    }
    .into())
}

async fn delete_all<K>(
    client: &Client,
    namespace: &str,
    which: &ListParams,
) -> Result<(), EnvironmentFault>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let action = format!("remove each {} of a free namespace", K::kind(&()));
    ask_patiently(&action, |_| async {
        objects
            .delete_collection(&DeleteParams::default().grace_period(0), which)
            .await
            .map(drop)
    })
    .await
}
