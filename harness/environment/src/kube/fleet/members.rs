//! Discovers the pods of a fleet by one watch, and follows each from its first moment on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::Pod as KubePodObject;
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;

use crate::kube::api::labels::ROLE_LABEL;
use crate::kube::api::latest::{PodPlace, Stage};
use crate::kube::api::objects::POD_ROLE;
use crate::kube::api::status;
use crate::kube::pod::kube_pod::{KubePod, NamespaceOwner};
use crate::kube::pod::pod_maker::{PodMaker, await_address};
use crate::kube::space::namespace::RunNamespace;
use crate::{Addresses, FleetMember, Pod as _, ServiceTranslation};
use harness_core::model::causes::chain;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::Stack;

/// The pods that a fleet has had.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// In the order in which they came.
    list: Mutex<Vec<Member>>,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    pod: Arc<KubePod>,
}

/// What the members' handles are made of.
#[derive(Clone)]
pub(in crate::kube) struct Nursery {
    pub namespace: RunNamespace,
    pub service: String,
    pub stack: Stack,
    pub maker: PodMaker,
    pub asks_once: Client,
}

impl std::fmt::Debug for Nursery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Nursery")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Members {
    /// Returns every pod that was ever seen.
    pub(in crate::kube) fn all(&self) -> Vec<FleetMember> {
        self.lock()
            .iter()
            .map(|member| FleetMember {
                name: member.name.clone(),
                pod: member.pod.clone(),
            })
            .collect()
    }

    /// Returns how many have something left that runs. A kubelet may take a minute to report the end of a pod of which nothing runs any more.
    pub(in crate::kube) fn left(&self, containers: usize) -> usize {
        let left = |member: &&Member| {
            let view = member.pod.view();
            let stage = view.latest().borrow().stage;
            stage == Stage::Alive && !has_ended(&view.timeline.events(), containers)
        };
        self.lock().iter().filter(left).count()
    }

    /// Describes the pods that have no address yet.
    pub(in crate::kube) fn waiting(&self) -> Vec<String> {
        let describe = |member: &Member| {
            let latest = member.pod.view().latest();
            let latest = latest.borrow();
            let waits = latest.stage == Stage::Alive && member.pod.addresses().pod_ip.is_empty();
            let pod = latest.pod.as_ref().filter(|_| waits)?;
            Some(format!("{}: {}", member.name, status::describe(pod)))
        };
        self.lock().iter().filter_map(describe).collect()
    }

    /// Returns the node of a pod, once it has one.
    pub(super) fn node_of(&self, name: &str) -> Option<String> {
        let list = self.lock();
        let member = list.iter().find(|member| member.name == name)?;
        Some(member.pod.node().to_owned()).filter(|node| !node.is_empty())
    }

    /// Returns the pods of a node.
    pub(super) fn on_node(&self, node: &str) -> Vec<String> {
        let list = self.lock();
        let there = list.iter().filter(|member| member.pod.node() == node);
        there.map(|member| member.name.clone()).collect()
    }

    fn knows(&self, name: &str) -> bool {
        self.lock().iter().any(|member| member.name == name)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether so many containers of a pod have ended since its deletion was asked for.
fn has_ended(timeline: &[TimelineEvent], containers: usize) -> bool {
    let deleted = timeline
        .iter()
        .position(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
    let ended: BTreeSet<&str> = timeline[deleted.unwrap_or(timeline.len())..]
        .iter()
        .filter(|event| {
            matches!(
                event.event,
                LifecycleEvent::Exited(_) | LifecycleEvent::EndUnknown { .. }
            )
        })
        .filter_map(|event| event.container.as_deref())
        .collect();
    ended.len() >= containers
}

/// Watches for pods of the fleet until this is dropped. The names of such pods are never given twice.
pub(super) async fn discover(nursery: Nursery, members: Arc<Members>) {
    let client = nursery.maker.space.client.clone();
    let pods: Api<KubePodObject> = Api::namespaced(client, &nursery.namespace.name);
    let own = watcher::Config::default().labels(&format!("{ROLE_LABEL}={POD_ROLE}"));
    let mut pods = std::pin::pin!(watcher(pods, own).default_backoff());
    let mut placing = JoinSet::new();
    loop {
        match pods.next().await {
            Some(Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                let Some(name) = pod.metadata.name else {
                    continue;
                };
                if !members.knows(&name) {
                    let member = nursery.take_in(&name);
                    members.lock().push(member.clone());
                    placing.spawn(nursery.clone().place(member));
                }
            }
            Some(Ok(
                watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone,
            )) => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "the watch of a fleet's pods is taken up again");
            }
            None => return,
        }
    }
}

impl Nursery {
    fn take_in(&self, name: &str) -> Member {
        let place = PodPlace::new(&self.namespace.name, name);
        let pod = self
            .maker
            .take_in(place, NamespaceOwner::Fleet, &self.stack);
        Member {
            name: name.to_owned(),
            pod: Arc::new(pod),
        }
    }

    /// Says where the pod is when that is known, and lets its node report its hooks once it runs. Whoever waits for the fleet bounds how long that
    /// may take.
    async fn place(self, member: Member) {
        match await_address(member.pod.view()).await {
            Ok((pod_ip, node)) => {
                let service = self.service;
                member.pod.place(
                    Addresses {
                        pod_ip,
                        service,
                        translation: ServiceTranslation::ByNode,
                    },
                    node,
                );
            }
            Err(error) => {
                tracing::warn!(
                    pod = member.name,
                    error = chain(&error).join(": "),
                    "a pod has no place"
                );
                return;
            }
        }
        let mut latest = member.pod.view().latest();
        let ready = latest
            .wait_for(|latest| {
                latest.stage > Stage::Alive || latest.pod.as_ref().is_some_and(status::is_ready)
            })
            .await;
        if ready.is_ok_and(|latest| latest.stage > Stage::Alive) {
            return;
        }
        member.pod.count_images();
        if let Err(error) = member.pod.watch_processes().await {
            tracing::warn!(
                pod = member.name,
                error = chain(&error).join(": "),
                "the hooks of a pod are not seen"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use harness_core::model::timeline::ExitStatus;

    fn event(container: Option<&str>, event: LifecycleEvent) -> TimelineEvent {
        TimelineEvent {
            at: Timestamp::UNIX_EPOCH,
            container: container.map(Into::into),
            event,
        }
    }

    #[test]
    fn a_pod_has_ended_when_every_container_has_since_its_deletion() {
        let exited = |name| event(Some(name), LifecycleEvent::Exited(ExitStatus::Code(0)));
        let deleted = event(
            None,
            LifecycleEvent::DeletionRequested {
                grace_period_seconds: 20,
            },
        );
        let mut timeline = vec![exited("a"), exited("b")];
        assert!(!has_ended(&timeline, 2), "they were restarted");
        timeline.push(deleted);
        timeline.push(exited("a"));
        timeline.push(exited("a"));
        assert!(!has_ended(&timeline, 2));
        timeline.push(exited("b"));
        assert!(has_ended(&timeline, 2));
    }
}
