//! Makes pods in a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::admission_trial::{PodAdmission, try_admission};
use super::agent_probe::{AgentTraits, probe_agent};
use super::agent_service::{ServedPod, agent_object, await_endpoints, make_service};
use super::cluster::Cluster;
use super::connection::Connection;
use super::fleet::KubeFleet;
use super::fleet_members::Nursery;
use super::images::ImageNames;
use super::labels::pod_namespace;
use super::late_look::KubeletActs;
use super::objects::{self, AGENTS, POD, SERVICE};
use super::observer::{Observers, Observing};
use super::options::{KubeOptions, Presence};
use super::pod::{KubePod, NamespaceOwner};
use super::pod_maker::PodMaker;
use super::pod_watch::PodPlace;
use super::run_space::{RunNamespace, RunSpace};
use super::service_refusal::await_refusal;
use super::service_trial::{ServiceReach, try_service};
use super::sweep::sweep_namespaces;
use crate::environment::run_folder::RunFolder;
use crate::environment::{Environment, EnvironmentFault, Fleet, Pod, authority};
use crate::image::{ImageRole, is_in_no_registry};
use crate::model::feature::{Feature, FeatureSet};
use crate::model::identity::PodName;
use crate::model::image_use::ImagesInUse;
use crate::stack::agent_pods::AgentPods;
use crate::stack::{PROXY_PORT, Stack};

/// Runs pods in a cluster.
#[derive(Debug)]
pub struct KubeEnvironment {
    name: &'static str,
    connection: Connection,
    cluster: tokio::sync::Mutex<Cluster>,
    space: Arc<RunSpace>,
    maker: PodMaker,
    services: ServiceReach,
    admission: PodAdmission,
    images: ImageNames,
    presence: Presence,
    agent: Option<AgentTraits>,
    // The last: what is in it goes when everything else has gone.
    _folder: RunFolder,
}

/// What a cluster has said of itself.
struct Found {
    observing: Observing,
    agent: Option<AgentTraits>,
    services: ServiceReach,
    admission: PodAdmission,
}

impl KubeEnvironment {
    /// Makes or reaches the cluster, loads the images and asks what can be done there.
    ///
    /// # Errors
    ///
    /// When the cluster cannot be had, or images have no name. What was made until then is removed.
    pub async fn prepare(
        options: KubeOptions,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let images = options.image_names()?;
        let named = &options.images.named;
        let folder = RunFolder::create(&options.runtime, &options.run).map_err(|source| {
            EnvironmentFault::Io {
                action: "make the run's folder".into(),
                source,
            }
        })?;
        let mut cluster = Box::pin(Cluster::have(&options, folder.path(), say)).await?;
        let prepared = async {
            if let Some(built) = &options.built {
                cluster.load(built, named, say).await?;
                options.delivery().deliver(built, named, say).await?;
            }
            let connection = Connection::open(&cluster.source())
                .await
                .map_err(|error| cluster.explain(error))?;
            let swept = sweep_namespaces(&connection.client).await?;
            if !swept.is_empty() {
                say(&format!(
                    "removed what earlier runs left: {}",
                    swept.join(", ")
                ));
            }
            let run_images = options.run_images(&connection, &images).await?;
            let space = Arc::new(RunSpace::new(
                connection.client.clone(),
                options.run.clone(),
                run_images,
                options.keeping,
            ));
            let questions = async {
                let observing = Observers::are_allowed(&space).await?;
                let agent = match named.of(ImageRole::Agent) {
                    Some(image) => Some(probe_agent(&space, image).await?),
                    None => None,
                };
                let services = Box::pin(try_service(&space, options.service_trial, say)).await?;
                let admission = try_admission(&space, options.admission_trial).await?;
                let found = Found {
                    observing,
                    agent,
                    services,
                    admission,
                };
                Ok::<_, EnvironmentFault>(found)
            };
            match questions.await {
                Ok(found) => Ok((connection, space, found)),
                Err(error) => {
                    // Only the error that came first is told.
                    let _ = space.remove_all().await;
                    Err(error)
                }
            }
        };
        let prepared = Box::pin(prepared).await;
        match prepared {
            Ok((connection, space, found)) => Ok(Self {
                name: options.cluster.name(),
                presence: options.presence(&cluster),
                maker: PodMaker {
                    space: space.clone(),
                    observers: Arc::default(),
                    observing: found.observing,
                    kubelet_acts: KubeletActs::of(&connection),
                },
                connection,
                cluster: tokio::sync::Mutex::new(cluster),
                space,
                services: found.services,
                admission: found.admission,
                images,
                agent: found.agent,
                _folder: folder,
            }),
            Err(error) => {
                // Only the error that came first is told.
                let _ = cluster.remove().await;
                Err(error)
            }
        }
    }

    /// Returns what the agent of a named image says of itself; none where its executable is on this machine.
    pub fn agent(&self) -> Option<&AgentTraits> {
        self.agent.as_ref()
    }

    async fn create_in(
        &self,
        namespace: &RunNamespace,
        stack: &Stack,
    ) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        let Some(agents) = &stack.agents else {
            let pod = self.create_pod(namespace, stack).await?;
            return Ok(pod);
        };
        let made = self.create_agents(&namespace.name, stack, agents);
        let (agents, addresses) = made.await?;
        let front = self
            .create_pod(namespace, &stack.with_agents_at(&addresses))
            .await?;
        Ok(Arc::new(ServedPod { front, agents }))
    }

    /// Makes the pod under test with its Service, in a namespace that is there.
    async fn create_pod(
        &self,
        namespace: &RunNamespace,
        stack: &Stack,
    ) -> Result<Arc<KubePod>, EnvironmentFault> {
        let space = &self.space;
        // The traffic that shows how a pod starts must not wait for its driver.
        let (service, _) = tokio::try_join!(
            self.apply_parts(&namespace.name, stack),
            space.driver_pods()
        )?;
        Box::pin(await_refusal(space, &authority(&service, PROXY_PORT))).await?;
        let object = objects::pod(&space.run, stack, &self.images);
        let place = PodPlace::new(&namespace.name, POD);
        let owner = NamespaceOwner::Pod(namespace.clone());
        let service = authority(&service, PROXY_PORT);
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
            let object = agent_object(objects::pod(&space.run, &own, &self.images), &name, space);
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
        let creating = KubeFleet::create(nursery, self.images.clone(), replicas);
        let fleet = Box::pin(creating).await?;
        Ok(Arc::new(fleet))
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
            // Only the error that came first is told; the end of the run removes what is left.
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
    fn name(&self) -> &'static str {
        self.name
    }

    fn features(&self) -> FeatureSet {
        let mut features = FeatureSet::from([
            Feature::AgentService,
            Feature::ImagePull,
            Feature::MemoryLimits,
            Feature::RunAsUser,
            Feature::StartupProbeHttp,
            Feature::StartupProbeTcp,
        ]);
        features.extend(self.services.features());
        features.extend(self.admission.features());
        if self.space.images.census.knows_the_pods_images() {
            features.insert(Feature::ImageDigests);
        }
        match self.presence {
            Presence::OnNodes => {
                features.insert(Feature::ImagesOnNodes);
            }
            Presence::Unknown => {}
        }
        if self
            .images
            .of(ImageRole::Agent)
            .is_some_and(is_in_no_registry)
        {
            features.insert(Feature::ImagesInNoRegistry);
        }
        let by_release = [
            (19, Feature::SeccompProfile),
            (24, Feature::StartupProbeGrpc),
            (29, Feature::NativeSidecar),
            (30, Feature::PreStopSleep),
        ];
        features.extend(
            by_release
                .into_iter()
                .filter(|(minor, _)| self.connection.is_at_least(*minor))
                .map(|(_, feature)| feature),
        );
        features.extend(self.maker.observing.features());
        features
    }

    fn why_not(&self, feature: Feature) -> Option<String> {
        if feature == Feature::Rollout {
            return self.services.why_no_rollout();
        }
        if feature == Feature::ResourceUsage {
            return Some("a pod's processes are looked into on this machine only".into());
        }
        if feature == Feature::PodSecurityAdmission {
            return Some(self.admission.fact());
        }
        self.maker.observing.why_not(feature)
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = self.connection.facts();
        for role in ImageRole::ALL {
            if let Some(name) = self.images.of(role) {
                facts.insert(format!("image of the {role}"), name.to_owned());
            }
        }
        let observing = self.maker.observing.fact();
        facts.insert("containers are looked into".into(), observing);
        facts.insert("services".into(), self.services.fact());
        facts.insert("pod security admission".into(), self.admission.fact());
        facts
    }

    fn images(&self) -> ImagesInUse {
        self.space.images.census.images()
    }

    async fn create(&self, name: PodName, stack: &Stack) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        let namespace = self.make_namespace(&name, stack).await?;
        let created = self.create_in(&namespace, stack).await;
        self.clear(&namespace, created).await
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
        self.space.remove_all().await
    }
}
