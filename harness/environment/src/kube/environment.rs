//! Makes pods in a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::kube::api::connection::ApiConnection;
use crate::kube::api::labels::pod_namespace;
use crate::kube::api::latest::PodPlace;
use crate::kube::api::objects::{self, AGENTS, POD, SERVICE};
use crate::kube::capabilities::Capabilities;
use crate::kube::cluster::keeping::Keeping;
use crate::kube::cluster::run_cluster::Cluster;
use crate::kube::fleet::kube_fleet::KubeFleet;
use crate::kube::fleet::members::Nursery;
use crate::kube::pod::agent_service::{ServedPod, agent_object, await_endpoints, make_service};
use crate::kube::pod::kube_pod::{KubePod, NamespaceOwner};
use crate::kube::pod::pod_maker::PodMaker;
use crate::kube::space::namespace::RunNamespace;
use crate::kube::space::namespace_pool::NamespaceHistory;
use crate::kube::space::run_space::RunSpace;
use crate::kube::trials::agent_probe::AgentTraits;
use crate::kube::trials::service_refusal::{RefusalSeen, await_refusal};
use crate::run_folder::RunFolder;
use crate::{Environment, EnvironmentFault, Fleet, Pod, authority};
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::identity::PodName;
use harness_core::model::image_use::ImagesInUse;
use harness_core::model::kubelet::Kubelet;
use harness_core::stack::agent_pods::AgentPods;
use harness_core::stack::{PROXY_PORT, Stack};

/// Runs pods in a cluster.
#[derive(Debug)]
pub struct KubeEnvironment {
    pub(super) kind: EnvironmentKind,
    pub(super) connection: ApiConnection,
    pub(super) cluster: tokio::sync::Mutex<Cluster>,
    pub(super) space: Arc<RunSpace>,
    pub(super) maker: PodMaker,
    pub(super) capabilities: Capabilities,
    pub(super) agent: Option<AgentTraits>,
    /// What is in it goes when everything else has gone: it is the last.
    pub(super) _folder: RunFolder,
}

/// Where a pod is made.
struct PodHome {
    namespace: RunNamespace,
    owner: NamespaceOwner,
    history: NamespaceHistory,
    /// The pod's name.
    pod: String,
}

impl KubeEnvironment {
    /// Returns what the agent of a named image says of itself; none where its executable is on this machine.
    pub fn agent(&self) -> Option<&AgentTraits> {
        self.agent.as_ref()
    }

    async fn create_in(
        &self,
        home: &PodHome,
        stack: &Stack,
    ) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        let Some(agents) = &stack.agents else {
            let pod = self.create_pod(home, stack).await?;
            return Ok(pod);
        };
        let made = self.create_agents(&home.namespace.name, stack, agents);
        let (agents, addresses) = made.await?;
        let front = self
            .create_pod(home, &stack.with_agents_at(&addresses))
            .await?;
        Ok(Arc::new(ServedPod { front, agents }))
    }

    /// Makes the pod under test with its Service, in a namespace that is there.
    async fn create_pod(
        &self,
        home: &PodHome,
        stack: &Stack,
    ) -> Result<Arc<KubePod>, EnvironmentFault> {
        let space = &self.space;
        // The traffic that shows how a pod starts must not wait for its driver.
        let (service, _) = tokio::try_join!(
            self.apply_parts(&home.namespace.name, stack),
            space.driver_pods()
        )?;
        let service = authority(&service, PROXY_PORT);
        let refusal = Box::pin(await_refusal(space, &service)).await?;
        if let (NamespaceHistory::UsedBefore, RefusalSeen::StillAccepted) = (home.history, refusal)
        {
            return Err(EnvironmentFault::Cluster {
                action: format!("use the namespace `{}` again", home.namespace.name),
                detail: "its Service still accepts connections, though the pod behind it is gone"
                    .into(),
                hint: None,
            });
        }
        let mut object = objects::pod(&space.run, stack, &self.capabilities.images);
        object.metadata.name = Some(home.pod.clone());
        let place = PodPlace::new(&home.namespace.name, &home.pod);
        let owner = home.owner.clone();
        let started = self.maker.start(object, place, owner, stack, &service);
        started.await
    }

    /// Makes the agents' pods with their Service; returns them with the addresses that the Service has for them.
    async fn create_agents(
        &self,
        namespace: &str,
        stack: &Stack,
        agents: &AgentPods,
    ) -> Result<(Vec<Arc<KubePod>>, Vec<String>), EnvironmentFault> {
        let space = &self.space;
        make_service(space, namespace).await?;
        self.apply_files(namespace, stack).await?;
        let own = Stack {
            pod: agents.pod.clone(),
            agents: None,
            ..stack.clone()
        };
        let mut pods = Vec::new();
        let mut addresses = Vec::new();
        for number in 0..agents.replicas {
            let name = format!("{AGENTS}-{number}");
            let object = agent_object(
                objects::pod(&space.run, &own, &self.capabilities.images),
                &name,
                space,
            );
            let place = PodPlace::new(namespace, &name);
            let pod = self
                .maker
                .start(object, place, NamespaceOwner::Fleet, &own, AGENTS)
                .await?;
            addresses.push(pod.addresses().pod_ip);
            pods.push(pod);
        }
        let endpoints = await_endpoints(space, namespace, agents.replicas).await?;
        if addresses.iter().any(|address| !endpoints.contains(address)) {
            return Err(EnvironmentFault::PodLost {
                reason: format!(
                    "the agents are at {addresses:?}, and their Service has {endpoints:?}"
                ),
            });
        }
        Ok((pods, addresses))
    }

    async fn create_fleet_in(
        &self,
        namespace: &RunNamespace,
        stack: &Stack,
        replicas: u32,
    ) -> Result<Arc<dyn Fleet>, EnvironmentFault> {
        let space = &self.space;
        let (service, _) = tokio::try_join!(
            self.apply_parts(&namespace.name, stack),
            space.driver_pods()
        )?;
        Box::pin(await_refusal(space, &authority(&service, PROXY_PORT))).await?;
        let nursery = Nursery {
            namespace: namespace.clone(),
            service: authority(&service, PROXY_PORT),
            stack: stack.clone(),
            maker: self.maker.clone(),
            asks_once: self.connection.asks_once.clone(),
        };
        let creating = KubeFleet::create(nursery, self.capabilities.images.clone(), replicas);
        let fleet = Box::pin(creating).await?;
        Ok(Arc::new(fleet))
    }

    /// Finds the namespace of a pod. One that holds more than a pod and its Service, that enforces a standard or that is kept is its own.
    async fn find_home(&self, name: &PodName, stack: &Stack) -> Result<PodHome, EnvironmentFault> {
        let is_plain = stack.namespace_enforces.is_none() && stack.agents.is_none();
        if is_plain && self.space.keeping == Keeping::Remove {
            let lent = self.space.pool.lend(&self.space).await?;
            return Ok(PodHome {
                pod: format!("{POD}-{}", lent.pod_number),
                owner: NamespaceOwner::Pool(lent.namespace.clone()),
                history: lent.history,
                namespace: lent.namespace,
            });
        }
        let namespace = self.make_namespace(name, stack).await?;
        Ok(PodHome {
            pod: POD.into(),
            owner: NamespaceOwner::Pod(namespace.clone()),
            history: NamespaceHistory::New,
            namespace,
        })
    }

    /// Makes the namespace of a pod or a fleet.
    async fn make_namespace(
        &self,
        name: &PodName,
        stack: &Stack,
    ) -> Result<RunNamespace, EnvironmentFault> {
        let enforces = stack.namespace_enforces;
        self.space
            .make_namespace(&pod_namespace(name), &name.purpose, enforces)
            .await
    }

    /// Removes the namespace of what could not be created.
    async fn clear<T>(
        &self,
        namespace: &RunNamespace,
        created: Result<T, EnvironmentFault>,
    ) -> Result<T, EnvironmentFault> {
        if created.is_err() {
            // Only the error that came first is reported; the end of the run removes what is left.
            self.space.remove_namespace(namespace).await;
        }
        created
    }

    /// Applies the stack's secrets and config maps.
    async fn apply_files(&self, namespace: &str, stack: &Stack) -> Result<(), EnvironmentFault> {
        let space = &self.space;
        for (name, values) in &stack.secrets {
            let object = objects::secret(name, &space.run, values);
            space.apply(namespace, name, &object).await?;
        }
        for (name, files) in &stack.config_maps {
            let object = objects::config_map(name, &space.run, files);
            space.apply(namespace, name, &object).await?;
        }
        Ok(())
    }

    /// Applies everything but the pod; returns the Service's address.
    async fn apply_parts(
        &self,
        namespace: &str,
        stack: &Stack,
    ) -> Result<String, EnvironmentFault> {
        let space = &self.space;
        self.apply_files(namespace, stack).await?;
        let service = space
            .apply(namespace, SERVICE, &objects::service(&space.run))
            .await?;
        service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .ok_or_else(|| EnvironmentFault::Cluster {
                action: format!("give the Service of `{namespace}` an address"),
                detail: "the API gave none".into(),
                hint: None,
            })
    }
}

#[async_trait]
impl Environment for KubeEnvironment {
    fn kind(&self) -> EnvironmentKind {
        self.kind
    }

    fn kubelet(&self) -> Kubelet {
        Kubelet::Real
    }

    fn features(&self) -> FeatureSet {
        self.capabilities.features()
    }

    fn why_not(&self, feature: Feature) -> Option<String> {
        self.capabilities.why_not(feature)
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.capabilities.facts()
    }

    fn images(&self) -> ImagesInUse {
        self.space.images.census.images()
    }

    async fn create(&self, name: PodName, stack: &Stack) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        let home = self.find_home(&name, stack).await?;
        let created = Box::pin(self.create_in(&home, stack)).await;
        self.clear(&home.namespace, created).await
    }

    async fn create_fleet(
        &self,
        name: PodName,
        stack: &Stack,
        replicas: u32,
    ) -> Result<Arc<dyn Fleet>, EnvironmentFault> {
        let namespace = self.make_namespace(&name, stack).await?;
        let created = self.create_fleet_in(&namespace, stack, replicas).await;
        self.clear(&namespace, created).await
    }

    async fn finish(&self) -> Result<(), EnvironmentFault> {
        let mut cluster = self.cluster.lock().await;
        if cluster.goes_with_the_run() {
            return cluster.remove().await;
        }
        let opened = self.space.open_nodes().await;
        self.space.remove_all().await.and(opened)
    }
}
