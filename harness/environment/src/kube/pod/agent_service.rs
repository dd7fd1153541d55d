//! Agents in pods of their own behind a headless Service, and the pod under test with such agents as one thing.
//!
//! The addresses are read off the Service's endpoints, as a resolver of the cluster would give them out: a pod is among them once it is ready.
//! No scenario depends on a cluster's DNS then, nor on what its nodes make of a Service with several pods.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod as KubePodObject;

use crate::kube::api::objects::{self, AGENTS};
use crate::kube::pod::kube_pod::KubePod;
use crate::kube::space::run_space::RunSpace;
use crate::polling::Polling;
use crate::{
    Addresses, ContainerFault, DriverProcess, EnvironmentFault, FileChange, FileSystemView, Pod,
    PodHttpRequest, PodHttpResponse, PortStream,
};
use harness_core::model::image_use::ContainerImage;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;
use harness_core::stack::agent_pods::AgentPods;

/// How long agents may take to be endpoints of their Service.
const ENDPOINTS_WITHIN: Duration = Duration::from_mins(1);
/// Between two polls of the endpoints.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Makes the Service in front of the agents.
pub(in crate::kube) async fn make_service(
    space: &RunSpace,
    namespace: &str,
) -> Result<(), EnvironmentFault> {
    let mut service = objects::service_of(AGENTS, AGENTS, AGENT_PORT, &space.run);
    let spec = service.spec.get_or_insert_default();
    spec.cluster_ip = Some("None".into());
    space.apply(namespace, AGENTS, &service).await.map(|_| ())
}

/// The port that the guide gives the agent.
const AGENT_PORT: u16 = 9999;

/// Returns the object of an agent's pod, made of the object of a pod under test.
pub(in crate::kube) fn agent_object(
    mut pod: KubePodObject,
    name: &str,
    space: &RunSpace,
) -> KubePodObject {
    pod.metadata.name = Some(name.to_owned());
    pod.metadata.labels = Some(crate::kube::api::labels::labels(&space.run, AGENTS));
    pod
}

/// Waits until so many pods are endpoints of the Service; returns their addresses.
pub(in crate::kube) async fn await_endpoints(
    space: &RunSpace,
    namespace: &str,
    wanted: u32,
) -> Result<BTreeSet<String>, EnvironmentFault> {
    let mut polling = Polling::within(ENDPOINTS_WITHIN, POLL_EVERY);
    let mut ready = BTreeSet::new();
    while polling.next().await {
        let api = space.endpoints;
        ready = api
            .ready_addresses(&space.client, namespace, AGENTS)
            .await?;
        if ready.len() >= usize::try_from(wanted).unwrap_or(usize::MAX) {
            return Ok(ready);
        }
    }
    Err(TimedOut {
        waited_for: format!("{wanted} agents to be endpoints of their Service"),
        budget: ENDPOINTS_WITHIN.into(),
        last_seen: format!("{} of them are", ready.len()),
    }
    .into())
}

/// A pod under test whose agents are in pods of their own. What is said of it is said of the proxy's pod; what is asked of an agent by its
/// name is asked of that agent's pod.
#[derive(Debug)]
pub(in crate::kube) struct ServedPod {
    /// The pod with proxy and application.
    pub front: Arc<KubePod>,
    /// The agents' pods.
    pub agents: Vec<Arc<KubePod>>,
}

impl ServedPod {
    /// Returns the pod of a container, and the container's name in it.
    fn of<'a>(&'a self, container: &'a str) -> (&'a KubePod, &'a str) {
        let agents = (0_u32..).zip(&self.agents);
        let mut agents = agents.filter(|(number, _)| AgentPods::name_of(*number) == container);
        match agents.next() {
            Some((_, agent)) => (agent, AGENT_CONTAINER),
            None => (&self.front, container),
        }
    }
}

#[async_trait]
impl Pod for ServedPod {
    fn timeline(&self) -> Vec<TimelineEvent> {
        self.front.timeline()
    }

    fn is_ready(&self) -> bool {
        self.front.is_ready()
    }

    fn images(&self) -> Vec<ContainerImage> {
        let agents = self.agents.iter().flat_map(|agent| agent.images());
        self.front.images().into_iter().chain(agents).collect()
    }

    fn addresses(&self) -> Addresses {
        self.front.addresses()
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        self.front.start_driver().await
    }

    async fn connect(&self, port: u16) -> Result<PortStream, EnvironmentFault> {
        self.front.connect(port).await
    }

    async fn http(
        &self,
        request: PodHttpRequest,
        within: TimeSpan,
    ) -> Result<PodHttpResponse, EnvironmentFault> {
        self.front.http(request, within).await
    }

    async fn log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.log(name).await
    }

    async fn kept_log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.kept_log(name).await
    }

    async fn log_beyond(
        &self,
        container: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.log_beyond(name, offset, limit).await
    }

    async fn read_file(
        &self,
        container: &str,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.read_file(name, path, limit).await
    }

    async fn change_file(
        &self,
        container: &str,
        path: &str,
        change: FileChange,
    ) -> Result<(), EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.change_file(name, path, change).await
    }

    async fn inject(&self, container: &str, fault: ContainerFault) -> Result<(), EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.inject(name, fault).await
    }

    async fn inspect_files(&self, container: &str) -> Result<FileSystemView, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.inspect_files(name).await
    }

    async fn command_lines(&self, container: &str) -> Result<Vec<String>, EnvironmentFault> {
        let (pod, name) = self.of(container);
        pod.command_lines(name).await
    }

    async fn request_deletion(&self) -> Result<(), EnvironmentFault> {
        self.front.request_deletion().await
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        let mut removed = Ok(());
        for pod in self.agents.iter().chain([&self.front]) {
            // One that cannot be removed is no reason to leave the others; only the error that came first is reported.
            removed = removed.and(pod.remove().await);
        }
        removed
    }
}
