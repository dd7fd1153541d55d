//! Makes the harness's handles of pods: what follows each, what it writes into, and who may look into it.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod as KubePodObject;
use tokio::time::timeout;

use crate::kube::api::latest::{PodPlace, Stage};
use crate::kube::api::status;
use crate::kube::pod::kube_pod::{KubePod, NamespaceOwner, PodParts};
use crate::kube::space::observer::Observers;
use crate::kube::space::observing::Observing;
use crate::kube::space::run_space::RunSpace;
use crate::kube::timeline::kubelet_acts::{KubeletActs, make_kubelet_act};
use crate::kube::timeline::pod_watch::{PodView, follow_pod};
use crate::kube::timeline::recorder::PodRecorder;
use crate::{Addresses, EnvironmentFault, ServiceTranslation};
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::Stack;

/// How long a pod may take from its creation until it has an address.
const ADDRESS_WITHIN: Duration = Duration::from_mins(1);

/// What every pod's handle is made of.
#[derive(Clone, Debug)]
pub(in crate::kube) struct PodMaker {
    pub space: Arc<RunSpace>,
    pub observers: Arc<Observers>,
    pub observing: Observing,
    pub kubelet_acts: KubeletActs,
}

impl PodMaker {
    /// Takes a pod into hand that is there or will be: it is followed from now on, until the handle goes.
    pub(in crate::kube) fn take_in(
        &self,
        place: PodPlace,
        namespace_owner: NamespaceOwner,
        stack: &Stack,
    ) -> KubePod {
        let view = Arc::new(PodView::new(
            PodRecorder::of(&stack.pod, stack.grace_period_seconds()),
            stack.containers().map(|container| container.name.clone()),
        ));
        let follower = tokio::spawn(self.follow(place.clone(), view.clone()));
        let parts = PodParts {
            namespace: place.namespace,
            name: place.name,
            namespace_owner,
            stack: stack.clone(),
            view,
            space: self.space.clone(),
            observers: self.observers.clone(),
            observing: self.observing.clone(),
        };
        KubePod::new(parts, follower)
    }

    /// Makes one pod of the stack, and returns once it has an address.
    pub(in crate::kube) async fn start(
        &self,
        mut object: KubePodObject,
        place: PodPlace,
        namespace_owner: NamespaceOwner,
        stack: &Stack,
        service: &str,
    ) -> Result<Arc<KubePod>, EnvironmentFault> {
        let space = &self.space;
        let pod = self.take_in(place.clone(), namespace_owner, stack);
        space
            .images
            .pulls
            .put_into_pod_under_test(&mut object, stack);
        space.apply(&place.namespace, &place.name, &object).await?;
        let placed = timeout(ADDRESS_WITHIN, await_address(pod.view())).await;
        let (pod_ip, node) = placed.unwrap_or_else(|_| {
            Err(TimedOut {
                waited_for: "the pod to get an address".into(),
                budget: ADDRESS_WITHIN.into(),
                last_seen: last_seen(pod.view()),
            }
            .into())
        })?;
        let service = service.to_owned();
        pod.place(
            Addresses {
                pod_ip,
                service,
                translation: ServiceTranslation::ByNode,
            },
            node,
        );
        Ok(Arc::new(pod))
    }

    /// Follows a pod to its end.
    fn follow(&self, place: PodPlace, view: Arc<PodView>) -> impl Future<Output = ()> + use<> {
        let client = self.space.client.clone();
        let kubelet_acts = self.kubelet_acts;
        async move {
            let following = follow_pod(client.clone(), place.clone(), view.clone());
            match kubelet_acts {
                KubeletActs::AtItsNextLook => {
                    tokio::join!(following, make_kubelet_act(client, place, &view));
                }
                KubeletActs::AtOnce => following.await,
            }
        }
    }
}

/// Waits until the pod has an address, or has gone without; returns it with the node's name.
pub(in crate::kube) async fn await_address(
    view: &PodView,
) -> Result<(String, String), EnvironmentFault> {
    let mut latest = view.latest();
    let placed = |pod: &KubePodObject| {
        let ip = pod.status.as_ref()?.pod_ip.clone()?;
        Some((ip, pod.spec.as_ref()?.node_name.clone()?))
    };
    let found = latest
        .wait_for(|latest| {
            latest.stage > Stage::Alive || latest.pod.as_ref().and_then(placed).is_some()
        })
        .await
        .ok()
        .and_then(|found| found.pod.as_ref().and_then(placed));
    found.ok_or_else(|| EnvironmentFault::PodLost {
        reason: format!(
            "it went before it had an address; last seen: {}",
            last_seen(view)
        ),
    })
}

fn last_seen(view: &PodView) -> String {
    let latest = view.latest();
    let latest = latest.borrow();
    latest
        .pod
        .as_ref()
        .map_or_else(|| "no pod yet".into(), status::describe)
}
