//! Namespaces in which a run makes one pod under test after another.
//!
//! A namespace costs an API server far more than a pod does: when it goes, every kind of object is deleted from it and listed, several times. In a
//! run of the whole suite with a namespace for each pod that was some two of three requests to the API. A pod still has its namespace to itself
//! while it lives, and finds in it no secret, config map or pod of an earlier one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Api, DeleteParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::EnvironmentFault;
use crate::kube::api::fault::{ask_patiently, is_absent};
use crate::kube::api::labels::run_name;
use crate::kube::space::namespace::RunNamespace;
use crate::kube::space::run_space::RunSpace;
use crate::polling::Polling;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::Stack;

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
    /// Whether another pod was in it before.
    pub history: NamespaceHistory,
}

/// Whether a namespace has had a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum NamespaceHistory {
    /// It was made for this one.
    New,
    /// An earlier pod's Service is still there.
    UsedBefore,
}

impl NamespacePool {
    /// Lends a namespace that enforces no standard: the one that has been free for longest, or a new one.
    pub(in crate::kube) async fn lend(
        &self,
        space: &RunSpace,
    ) -> Result<LentNamespace, EnvironmentFault> {
        let pod_number = self.lent.fetch_add(1, Ordering::Relaxed) + 1;
        let free = self.free().pop_front();
        let (namespace, history) = if let Some(namespace) = free {
            (namespace, NamespaceHistory::UsedBefore)
        } else {
            let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
            let name = format!("{}-{number}", run_name(&space.run));
            let purpose = "one pod under test after another";
            let made = space.make_namespace(&name, purpose, None).await?;
            (made, NamespaceHistory::New)
        };
        Ok(LentNamespace {
            namespace,
            pod_number,
            history,
        })
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<RunNamespace>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a namespace back from a pod that has ended, and does not wait until it is clear. One that cannot be cleared, as where secrets may be made and
/// not deleted, is removed: the next pod gets a new one.
pub(in crate::kube) fn give_back(
    space: &Arc<RunSpace>,
    namespace: RunNamespace,
    pod: &str,
    stack: &Stack,
) {
    let space = space.clone();
    let left = Left {
        pod: pod.to_owned(),
        secrets: stack.secrets.keys().cloned().collect(),
        config_maps: stack.config_maps.keys().cloned().collect(),
    };
    tokio::spawn(async move {
        match clear(&space.client, &namespace.name, &left).await {
            Ok(()) => space.pool.free().push_back(namespace),
            Err(error) => {
                tracing::debug!(%error, namespace = namespace.name, "is not used again");
                space.remove_namespace(&namespace).await;
            }
        }
    });
}

/// What a pod has left in its namespace. Its Service stays: it is the same for every pod, and without endpoints once the pod is gone.
struct Left {
    pod: String,
    secrets: Vec<String>,
    config_maps: Vec<String>,
}

/// Removes everything from a namespace that a pod's successor must not find.
async fn clear(client: &Client, namespace: &str, left: &Left) -> Result<(), EnvironmentFault> {
    // A kubelet lets the API forget a pod only some ten seconds after its last container has ended.
    delete::<Pod>(client, namespace, &left.pod).await?;
    for secret in &left.secrets {
        delete::<Secret>(client, namespace, secret).await?;
    }
    for config_map in &left.config_maps {
        delete::<ConfigMap>(client, namespace, config_map).await?;
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut polling = Polling::within(FORGOTTEN_WITHIN, POLL_EVERY);
    while polling.next().await {
        let there = ask_patiently("look for a pod that has ended", |_| pods.get_opt(&left.pod));
        if there.await?.is_none() {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: format!("the pod `{}` of `{namespace}` to be forgotten", left.pod),
        budget: FORGOTTEN_WITHIN.into(),
        last_seen: "the API still has it".into(),
    }
    .into())
}

async fn delete<K>(client: &Client, namespace: &str, name: &str) -> Result<(), EnvironmentFault>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let objects: Api<K> = Api::namespaced(client.clone(), namespace);
    let parameters = DeleteParams::default().grace_period(0);
    let action = format!("remove the {} `{name}` of `{namespace}`", K::kind(&()));
    ask_patiently(&action, |_| {
        let (objects, parameters) = (&objects, &parameters);
        async move {
            match objects.delete(name, parameters).await {
                Ok(_) => Ok(()),
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(error),
            }
        }
    })
    .await
}

#[cfg(test)]
#[path = "namespace_pool_tests.rs"]
mod tests;
