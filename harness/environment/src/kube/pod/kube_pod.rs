//! The harness's handle of one pod in a cluster.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as KubePodObject;
use kube::api::{Api, DeleteParams};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::inspection::{InspectionAnswer, InspectionRequest};
use crate::kube::api::exec::exec;
use crate::kube::api::fault::{ask_patiently, is_absent};
use crate::kube::api::latest::Stage;
use crate::kube::api::objects::{self, DRIVER};
use crate::kube::logs::container_log::ContainerLog;
use crate::kube::pod::pod_http::{ask_port, connect_port};
use crate::kube::space::namespace::RunNamespace;
use crate::kube::space::namespace_pool::give_back;
use crate::kube::space::observer::{Observers, Watching};
use crate::kube::space::observing::Observing;
use crate::kube::space::run_space::RunSpace;
use crate::kube::timeline::pod_watch::PodView;
use crate::kube::timeline::recorder::PodRecorder;
use crate::observe::{ContainerId, ObserveRequest};
use crate::{
    Addresses, ContainerFault, DriverProcess, EnvironmentFault, FileChange, FileSystemView, Pod,
    PodHttpRequest, PodHttpResponse, PortStream, ServiceTranslation,
};
use harness_core::model::image_use::ContainerImage;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::Stack;

/// How long the kubelet may take to end a pod that has no grace left.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// A pod of a cluster.
#[derive(Debug)]
pub(in crate::kube) struct KubePod {
    parts: PodParts,
    placement: OnceLock<Placement>,
    follower: JoinHandle<()>,
    watching: OnceCell<Watching>,
    /// Whether its namespace has been removed or given back: a pod that is removed twice must not take its successor along.
    left: AtomicBool,
}

/// Where the pod is.
#[derive(Debug)]
struct Placement {
    addresses: Addresses,
    node: String,
}

/// Whose the namespace of a pod is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::kube) enum NamespaceOwner {
    /// A fleet's: it stays when the pod goes.
    Fleet,
    /// The pod's own: it goes with the pod.
    Pod(RunNamespace),
    /// The run's: another pod gets it when this one is gone.
    Pool(RunNamespace),
}

/// Whether all of a pod was seen to end before the API forgot it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    /// It was.
    Seen,
    /// Its containers may still run for a moment.
    Unseen,
}

/// What the handle is made of.
#[derive(Debug)]
pub(in crate::kube) struct PodParts {
    pub namespace: String,
    pub name: String,
    pub namespace_owner: NamespaceOwner,
    pub stack: Stack,
    pub view: Arc<PodView>,
    pub space: Arc<RunSpace>,
    pub observers: Arc<Observers>,
    pub observing: Observing,
}

impl KubePod {
    /// Takes over a pod that is being made.
    pub(in crate::kube) fn new(parts: PodParts, follower: JoinHandle<()>) -> Self {
        Self {
            parts,
            placement: OnceLock::new(),
            follower,
            watching: OnceCell::new(),
            left: AtomicBool::new(false),
        }
    }

    /// Returns what is known of the pod.
    pub(in crate::kube) fn view(&self) -> &PodView {
        &self.parts.view
    }

    /// Says where the pod is. It stays there: only what is said first counts.
    pub(in crate::kube) fn place(&self, addresses: Addresses, node: String) {
        let _ = self.placement.set(Placement { addresses, node });
    }

    /// Returns the node's name; empty before the pod has one.
    pub(in crate::kube) fn node(&self) -> &str {
        self.placement
            .get()
            .map_or("", |placement| placement.node.as_str())
    }

    fn pods(&self) -> Api<KubePodObject> {
        Api::namespaced(self.parts.space.client.clone(), &self.parts.namespace)
    }

    fn log_of(&self, container: &str) -> Result<&ContainerLog, EnvironmentFault> {
        let log = self.parts.view.logs.get(container);
        log.map(AsRef::as_ref)
            .ok_or_else(|| EnvironmentFault::ContainerState {
                container: container.into(),
                state: "is not part of the pod".into(),
            })
    }

    /// Returns a log that nothing is known to be missing of.
    fn whole_log_of(&self, container: &str) -> Result<&ContainerLog, EnvironmentFault> {
        let log = self.log_of(container)?;
        match log.gap() {
            None => Ok(log),
            Some(detail) => Err(EnvironmentFault::Cluster {
                action: format!("read the whole log of container `{container}`"),
                detail,
                hint: None,
            }),
        }
    }

    fn running(&self) -> BTreeMap<String, ContainerId> {
        running(&self.parts.view)
    }

    fn container_id(&self, container: &str) -> Result<ContainerId, EnvironmentFault> {
        self.log_of(container)?;
        self.running()
            .remove(container)
            .ok_or_else(|| EnvironmentFault::ContainerState {
                container: container.into(),
                state: "does not run".into(),
            })
    }

    async fn inspect(
        &self,
        container: &str,
        request: InspectionRequest,
    ) -> Result<InspectionAnswer, EnvironmentFault> {
        let mut others = self.running();
        others.remove(container);
        let request = ObserveRequest::Inspect {
            container: self.container_id(container)?,
            others: others.into_values().collect(),
            request,
        };
        self.parts
            .observers
            .ask(&self.parts.space, self.node(), &request)
            .await
    }

    /// Lets the node report the processes: when a hook's begin and end, and a container's first one.
    pub(in crate::kube) async fn watch_processes(&self) -> Result<(), EnvironmentFault> {
        match self.parts.observing {
            Observing::Allowed => {}
            Observing::Forbidden { .. } => return Ok(()),
        }
        let (view, heard) = (self.parts.view.clone(), self.parts.view.clone());
        self.watching
            .get_or_try_init(|| {
                self.parts.observers.watch(
                    &self.parts.space,
                    self.node(),
                    move || running(&view),
                    move |report| heard.process(report),
                )
            })
            .await
            .map(|_| ())
    }

    /// Counts the digests that the pod's containers run.
    pub(in crate::kube) fn count_images(&self) {
        if let Some(pod) = &self.parts.view.latest().borrow().pod {
            self.parts.space.images.census.record(pod);
        }
    }

    /// Ends the pod where it has not ended, with as little grace as there is.
    async fn end(&self) -> Result<Ended, EnvironmentFault> {
        let completed = || self.parts.view.timeline.completed();
        if timeout(Duration::ZERO, completed()).await.is_ok() {
            return Ok(Ended::Seen);
        }
        // The kubelet takes one second for none; with none the API forgets the pod while it still runs.
        self.delete(&DeleteParams::default().grace_period(1))
            .await?;
        if timeout(GONE_WITHIN, completed()).await.is_ok() {
            return Ok(Ended::Seen);
        }
        self.delete(&DeleteParams::default().grace_period(0))
            .await?;
        // Its logs may go on until its kubelet has ended it.
        let mut latest = self.parts.view.latest();
        let gone = latest.wait_for(|latest| latest.stage > Stage::Alive);
        timeout(GONE_WITHIN, gone)
            .await
            .map_err(|_| TimedOut {
                waited_for: "a pod without grace to be gone".into(),
                budget: GONE_WITHIN.into(),
                last_seen: "the API still has it".into(),
            })?
            .ok();
        Ok(Ended::Unseen)
    }

    async fn delete(&self, parameters: &DeleteParams) -> Result<(), EnvironmentFault> {
        let (pods, name) = (self.pods(), &self.parts.name);
        ask_patiently("delete the pod", |_| {
            let pods = &pods;
            async move {
                match pods.delete(name, parameters).await {
                    Ok(_) => Ok(()),
                    Err(error) if is_absent(&error) => Ok(()),
                    Err(error) => Err(error),
                }
            }
        })
        .await
    }
}

#[async_trait]
impl Pod for KubePod {
    fn timeline(&self) -> Vec<TimelineEvent> {
        self.parts.view.timeline.events()
    }

    fn images(&self) -> Vec<ContainerImage> {
        let latest = self.parts.view.latest();
        let latest = latest.borrow();
        let census = &self.parts.space.images.census;
        latest
            .pod
            .as_ref()
            .map(|pod| census.of_pod(pod))
            .unwrap_or_default()
    }

    fn is_ready(&self) -> bool {
        self.parts.view.timeline.is_ready()
    }

    fn addresses(&self) -> Addresses {
        let unknown = || Addresses {
            pod_ip: String::new(),
            service: String::new(),
            translation: ServiceTranslation::ByNode,
        };
        self.placement
            .get()
            .map_or_else(unknown, |placement| placement.addresses.clone())
    }

    async fn start_driver(&self) -> Result<DriverProcess, EnvironmentFault> {
        let pods = self.parts.space.driver_pods().await?;
        let exec = exec(&pods, DRIVER, DRIVER, objects::command("drive")).await?;
        Ok(DriverProcess {
            stdin: exec.stdin,
            stdout: Box::new(exec.stdout),
            guard: Box::new(exec.guard),
        })
    }

    async fn connect(&self, port: u16) -> Result<PortStream, EnvironmentFault> {
        connect_port(&self.pods(), &self.parts.name, port).await
    }

    async fn http(
        &self,
        request: PodHttpRequest,
        within: TimeSpan,
    ) -> Result<PodHttpResponse, EnvironmentFault> {
        ask_port(&self.pods(), &self.parts.name, &request, within).await
    }

    async fn log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        self.whole_log_of(container).map(ContainerLog::all)
    }

    async fn kept_log(&self, container: &str) -> Result<Vec<u8>, EnvironmentFault> {
        self.log_of(container).map(ContainerLog::all)
    }

    async fn log_beyond(
        &self,
        container: &str,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        Ok(self.whole_log_of(container)?.beyond(offset, limit))
    }

    async fn read_file(
        &self,
        container: &str,
        path: &str,
        limit: u64,
    ) -> Result<Vec<u8>, EnvironmentFault> {
        let path = path.into();
        let request = InspectionRequest::ReadFile { path, limit };
        self.inspect(container, request).await?.into_content()
    }

    async fn change_file(
        &self,
        container: &str,
        path: &str,
        change: FileChange,
    ) -> Result<(), EnvironmentFault> {
        let path = path.into();
        let request = InspectionRequest::ChangeFile { path, change };
        let answer = self.inspect(container, request).await?;
        answer.into_moment().map(|_| ())
    }

    async fn inject(&self, container: &str, fault: ContainerFault) -> Result<(), EnvironmentFault> {
        let asked = Timestamp::now();
        let request = InspectionRequest::Inject(fault);
        let at = self.inspect(container, request).await?.into_moment()?;
        let at = believable(at, asked, Timestamp::now());
        let fault = fault.outcome().into();
        let injected = LifecycleEvent::FaultInjected { fault };
        self.parts.view.record(at, container, injected);
        Ok(())
    }

    async fn inspect_files(&self, container: &str) -> Result<FileSystemView, EnvironmentFault> {
        let answer = self.inspect(container, InspectionRequest::Files).await?;
        let mut view = answer.into_files()?;
        let mounts = self
            .parts
            .stack
            .container(container)
            .into_iter()
            .flat_map(|container| container.volume_mounts.iter().flatten());
        for mount in mounts {
            let place = mount.mount_path.trim_end_matches('/');
            if let Some(volume) = view.writable_mounts.get_mut(place) {
                *volume = Some(mount.name.clone());
            }
        }
        Ok(view)
    }

    async fn command_lines(&self, container: &str) -> Result<Vec<String>, EnvironmentFault> {
        let request = InspectionRequest::CommandLines;
        self.inspect(container, request).await?.into_command_lines()
    }

    async fn request_deletion(&self) -> Result<(), EnvironmentFault> {
        // A kubelet may forget the images of a pod that it ends.
        self.count_images();
        self.watch_processes().await?;
        self.parts.view.ask_deletion();
        self.delete(&DeleteParams::default()).await
    }

    async fn remove(&self) -> Result<(), EnvironmentFault> {
        self.count_images();
        let ended = self.end().await?;
        if self.left.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let space = &self.parts.space;
        match (&self.parts.namespace_owner, ended) {
            (NamespaceOwner::Fleet, _) => {}
            (NamespaceOwner::Pool(namespace), Ended::Seen) => {
                give_back(
                    space,
                    namespace.clone(),
                    &self.parts.name,
                    &self.parts.stack,
                );
            }
            (NamespaceOwner::Pod(namespace) | NamespaceOwner::Pool(namespace), _) => {
                space.remove_namespace(namespace).await;
            }
        }
        Ok(())
    }
}

impl Drop for KubePod {
    fn drop(&mut self) {
        // What is left of the pod goes with the run's namespaces.
        self.follower.abort();
    }
}

/// Returns the containers of a pod that run, as far as the API says; none of a pod that has ended.
fn running(view: &PodView) -> BTreeMap<String, ContainerId> {
    let latest = view.latest();
    let latest = latest.borrow();
    let living = latest.pod.as_ref().filter(|_| latest.stage == Stage::Alive);
    let running = living.map(PodRecorder::running);
    running
        .into_iter()
        .flatten()
        .filter_map(|(name, id)| Some((name, id.parse().ok()?)))
        .collect()
}

/// Returns the moment at which a node reports something that was asked of it at one moment and done by another. The node's clock may differ
/// from this one, which may have been set back meanwhile: it is believed within what is possible.
fn believable(at: Timestamp, asked: Timestamp, now: Timestamp) -> Timestamp {
    at.clamp(asked, now.max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_clock_is_believed_within_what_is_possible_though_this_one_was_set_back() {
        let at = |second| Timestamp::from_second(second).expect("valid");
        assert_eq!(believable(at(5), at(4), at(6)), at(5));
        assert_eq!(believable(at(3), at(4), at(6)), at(4));
        assert_eq!(believable(at(7), at(4), at(6)), at(6));
        assert_eq!(believable(at(7), at(4), at(2)), at(4));
    }
}
