//! What serves a run as a whole: its own namespace with the driver's pod, and the making and removing of the run's namespaces.
//!
//! One driver pod serves all scenarios of a run, each with processes of its own: a node then starts half as many pods.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::EnvironmentFault;
use crate::kube::api::endpoints::EndpointsApi;
use crate::kube::api::fault::{RequestAttempt, ask, ask_patiently};
use crate::kube::api::labels::{FIELD_MANAGER, RUN_LABEL, run_name};
use crate::kube::api::nodes::{Scheduling, schedule};
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::api::ownership::Owner;
use crate::kube::api::status;
use crate::kube::cluster::keeping::Keeping;
use crate::kube::delivery::image_census::ImageCensus;
use crate::kube::delivery::pulls::ImagePulls;
use crate::kube::space::namespace::{RunNamespace, delete_namespace, is_the_same};
use crate::kube::space::namespace_pool::NamespacePool;
use crate::polling::Polling;
use harness_core::model::identity::RunId;
use harness_core::model::pod_security::PodSecurityStandard;
use harness_core::model::timeouts::TimedOut;

/// Between two polls of an object.
const POLL_EVERY: Duration = Duration::from_millis(40);
/// How long a namespace may take to get its service account.
const ACCOUNT_WITHIN: Duration = Duration::from_secs(30);
/// How long a pod that serves the run may take until it runs.
const SERVING_WITHIN: Duration = Duration::from_mins(1);
/// How long the run's namespaces may take to be gone.
const REMOVED_WITHIN: Duration = Duration::from_mins(2);

/// The run's images, and how the kubelet gets them.
#[derive(Debug)]
pub(in crate::kube) struct RunImages {
    pub driver: String,
    pub pulls: ImagePulls,
    pub census: ImageCensus,
}

/// A run's part of a cluster.
pub(in crate::kube) struct RunSpace {
    pub client: Client,
    pub endpoints: EndpointsApi,
    pub run: RunId,
    pub images: RunImages,
    pub keeping: Keeping,
    /// The namespaces of the pods under test.
    pub pool: NamespacePool,
    driver: OnceCell<()>,
    own_namespace: OnceCell<RunNamespace>,
    /// The nodes that take no more pods until they are opened again.
    cordoned: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for RunSpace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RunSpace")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl RunSpace {
    /// Begins with nothing made.
    pub(in crate::kube) fn new(
        client: Client,
        endpoints: EndpointsApi,
        run: RunId,
        images: RunImages,
        keeping: Keeping,
    ) -> Self {
        Self {
            client,
            endpoints,
            run,
            images,
            keeping,
            pool: NamespacePool::default(),
            driver: OnceCell::new(),
            own_namespace: OnceCell::new(),
            cordoned: Mutex::default(),
        }
    }

    /// Lets a node take no more pods until the nodes are opened again, at the latest when the run ends.
    pub(in crate::kube) async fn cordon(&self, node: &str) -> Result<(), EnvironmentFault> {
        self.cordoned().insert(node.to_owned());
        schedule(&self.client, node, Scheduling::Cordoned).await
    }

    /// Lets every node that was cordoned take pods again.
    pub(in crate::kube) async fn open_nodes(&self) -> Result<(), EnvironmentFault> {
        let nodes = self.cordoned().clone();
        for node in nodes {
            schedule(&self.client, &node, Scheduling::Open).await?;
            self.cordoned().remove(&node);
        }
        Ok(())
    }

    fn cordoned(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.cordoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a namespace that was not there before, and waits until pods can be made in it. Where that fails, nothing of it is left.
    pub(in crate::kube) async fn make_namespace(
        &self,
        name: &str,
        purpose: &str,
        enforces: Option<PodSecurityStandard>,
    ) -> Result<RunNamespace, EnvironmentFault> {
        let namespace = self.create_namespace(name, purpose, enforces).await?;
        match self.await_namespace(name).await {
            Ok(()) => Ok(namespace),
            Err(error) => {
                // Only the error that came first is reported; the end of the run removes what is left.
                self.remove_namespace(&namespace).await;
                Err(error)
            }
        }
    }

    async fn create_namespace(
        &self,
        name: &str,
        purpose: &str,
        enforces: Option<PodSecurityStandard>,
    ) -> Result<RunNamespace, EnvironmentFault> {
        let owner = match self.keeping {
            Keeping::Keep => None,
            Keeping::Remove => Some(Owner::this_process()),
        };
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let object = objects::namespace(name, &self.run, purpose, owner.as_ref(), enforces);
        let action = format!("create the namespace `{name}`");
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        let there = ask_patiently(&action, |attempt| {
            let (namespaces, parameters, object) = (&namespaces, &parameters, &object);
            async move {
                match (namespaces.create(parameters, object).await, attempt) {
                    (Err(kube::Error::Api(status)), RequestAttempt::Again)
                        if status.code == 409 =>
                    {
                        // The first attempt may have made it, and only its answer was lost.
                        let there = namespaces.get(name).await?;
                        if is_the_same(&there.metadata, &object.metadata) {
                            Ok(there)
                        } else {
                            Err(kube::Error::Api(status))
                        }
                    }
                    (created, _) => created,
                }
            }
        })
        .await?;
        RunNamespace::of(there.metadata).ok_or_else(|| EnvironmentFault::Cluster {
            action,
            detail: "the API gave it no identity".into(),
            hint: None,
        })
    }

    /// Waits until pods can be made in a namespace.
    async fn await_namespace(&self, name: &str) -> Result<(), EnvironmentFault> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), name);
        let action = format!("look for the service account of `{name}`");
        let mut polling = Polling::within(ACCOUNT_WITHIN, POLL_EVERY);
        loop {
            if !polling.next().await {
                return Err(TimedOut {
                    waited_for: format!("the namespace `{name}` to get its service account"),
                    budget: ACCOUNT_WITHIN.into(),
                    last_seen: "no account `default`".into(),
                }
                .into());
            }
            if ask_patiently(&action, |_| accounts.get_opt("default"))
                .await?
                .is_some()
            {
                break;
            }
        }
        match &self.images.pulls.secret {
            Some(secret) => {
                let copy = secret.copy_for(&self.run);
                self.apply(name, &secret.name, &copy).await.map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// Applies an object in a namespace of the run.
    pub(in crate::kube) async fn apply<K>(
        &self,
        namespace: &str,
        name: &str,
        object: &K,
    ) -> Result<K, EnvironmentFault>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + Serialize
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let action = format!(
            "apply the {} `{name}` in `{namespace}`",
            K::kind(&()).to_lowercase()
        );
        let patch = Patch::Apply(object);
        ask_patiently(&action, |_| api.patch(name, &parameters, &patch)).await
    }

    /// Returns the run's own namespace, which is made at the first call.
    pub(in crate::kube) async fn own_namespace(&self) -> Result<&str, EnvironmentFault> {
        self.own_namespace
            .get_or_try_init(|| async {
                let name = run_name(&self.run);
                self.make_namespace(&name, "what serves the run as a whole", None)
                    .await
            })
            .await
            .map(|namespace| namespace.name.as_str())
    }

    /// Returns the pods of the run's own namespace once the driver's runs.
    pub(in crate::kube) async fn driver_pods(&self) -> Result<Api<Pod>, EnvironmentFault> {
        let namespace = self.own_namespace().await?;
        self.driver
            .get_or_try_init(|| async {
                let mut pod = objects::driver(&self.run, &self.images.driver);
                self.images.pulls.put_into_pod(&mut pod);
                self.apply(namespace, DRIVER, &pod).await?;
                self.await_running(namespace, DRIVER).await
            })
            .await?;
        Ok(Api::namespaced(self.client.clone(), namespace))
    }

    /// Waits until a pod that serves the run has a running container.
    pub(super) async fn await_running(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(), EnvironmentFault> {
        self.await_pod(namespace, name, |pod| {
            status::containers(pod).iter().any(|view| {
                let last = view.instances.last();
                last.is_some_and(|instance| instance.end.is_none())
            })
        })
        .await
        .map(|_| ())
    }

    /// Waits until a pod is as it is wanted.
    pub(in crate::kube) async fn await_pod(
        &self,
        namespace: &str,
        name: &str,
        mut wanted: impl FnMut(&Pod) -> bool,
    ) -> Result<Pod, EnvironmentFault> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let action = format!("look at the pod `{name}`");
        let mut polling = Polling::within(SERVING_WITHIN, POLL_EVERY);
        let mut last_seen = String::new();
        while polling.next().await {
            let pod = ask_patiently(&action, |_| pods.get(name)).await?;
            if wanted(&pod) {
                self.images.census.record(&pod);
                return Ok(pod);
            }
            last_seen = status::describe(&pod);
        }
        Err(TimedOut {
            waited_for: format!("the pod `{name}` of `{namespace}` to run"),
            budget: SERVING_WITHIN.into(),
            last_seen,
        }
        .into())
    }

    /// Asks for the removal of a namespace of the run and does not wait for it. An API that does not take the request changes no
    /// verdict: the end of the run asks again, and waits.
    pub(in crate::kube) async fn remove_namespace(&self, namespace: &RunNamespace) {
        match self.keeping {
            Keeping::Keep => {}
            Keeping::Remove => drop(delete_namespace(&self.client, namespace).await),
        }
    }

    /// Ends the pods that serve the run, and waits for it: a namespace that still has pods when it is to go is looked at again only after longer and
    /// longer pauses. What fails here is left to the removal of the namespace.
    async fn end_serving_pods(&self) {
        let Some(namespace) = self.own_namespace.get() else {
            return;
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace.name);
        let all = ListParams::default();
        let mut polling = Polling::within(SERVING_WITHIN, 10 * POLL_EVERY);
        let mut asked = BTreeSet::new();
        while polling.next().await {
            let Ok(left) = ask("list the pods that serve the run", pods.list_metadata(&all)).await
            else {
                return;
            };
            let names: BTreeSet<String> = { left.items.into_iter() }
                .filter_map(|pod| pod.metadata.name)
                .collect();
            if names.is_empty() {
                return;
            }
            let parameters = DeleteParams::default();
            for name in names.difference(&asked) {
                let deleted = ask(
                    "end a pod that serves the run",
                    pods.delete(name, &parameters),
                );
                if let Err(error) = deleted.await {
                    tracing::debug!(%error, pod = name, "a pod that serves the run is left to its namespace");
                    return;
                }
            }
            asked.extend(names);
        }
    }

    /// Removes every namespace of the run and waits until they are gone.
    pub(in crate::kube) async fn remove_all(&self) -> Result<(), EnvironmentFault> {
        if self.keeping == Keeping::Keep {
            return Ok(());
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let own = ListParams::default().labels(&format!("{RUN_LABEL}={}", self.run));
        self.end_serving_pods().await;
        let mut polling = Polling::within(REMOVED_WITHIN, 10 * POLL_EVERY);
        let mut left: Vec<RunNamespace> = Vec::new();
        while polling.next().await {
            left = ask_patiently("list the run's namespaces", |_| {
                namespaces.list_metadata(&own)
            })
            .await?
            .items
            .into_iter()
            .filter_map(|namespace| RunNamespace::of(namespace.metadata))
            .collect();
            if left.is_empty() {
                return Ok(());
            }
            for namespace in &left {
                delete_namespace(&self.client, namespace).await?;
            }
        }
        let names: Vec<String> = left.into_iter().map(|namespace| namespace.name).collect();
        Err(TimedOut {
            waited_for: "the run's namespaces to be gone".into(),
            budget: REMOVED_WITHIN.into(),
            last_seen: names.join(", "),
        }
        .into())
    }
}
