//! Makes old kubelets act on what a startup probe found.
//!
//! Before Kubernetes 1.21 a kubelet notes the result and acts on it at its next look at the pod, which may be 90 seconds later
//! (kubernetes/kubernetes#95140, mended by #98376). A change of the pod makes it look, so an annotation is changed after each result.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::kube::api::connection::Release;
use crate::kube::api::fault::ask;
use crate::kube::api::latest::PodPlace;
use crate::kube::timeline::pod_watch::PodView;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind};

/// The release of Kubernetes 1 from which on a kubelet acts at once.
const ACTS_AT_ONCE_FROM: u32 = 21;

/// When a cluster's kubelets act on what a startup probe found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum KubeletActs {
    /// When they look at the pod again.
    AtItsNextLook,
    /// At once.
    AtOnce,
}

impl KubeletActs {
    /// Decides by the cluster's release.
    pub(in crate::kube) fn of(release: Release) -> Self {
        if release.is_at_least(ACTS_AT_ONCE_FROM) {
            Self::AtOnce
        } else {
            Self::AtItsNextLook
        }
    }
}

/// The annotation that is changed.
const ANNOTATION: &str = "conformance/startup-probes-seen";

/// Changes the pod after each result, until nothing of it runs any more.
pub(in crate::kube) async fn make_kubelet_act(client: Client, place: PodPlace, view: &PodView) {
    let pods: Api<Pod> = Api::namespaced(client, &place.namespace);
    let mut events = 0;
    let mut acted_on = 0;
    loop {
        view.timeline.beyond(events).await;
        let timeline = view.timeline.events();
        if timeline
            .iter()
            .any(|event| event.event == LifecycleEvent::PodGone)
        {
            return;
        }
        events = timeline.len();
        let results = timeline
            .iter()
            .filter(|event| {
                matches!(
                    event.event,
                    LifecycleEvent::Probed {
                        probe: ProbeKind::Startup,
                        ..
                    }
                )
            })
            .count();
        if results > acted_on {
            acted_on = results;
            let annotations = json!({ ANNOTATION: results.to_string() });
            let patch = json!({ "metadata": { "annotations": annotations } });
            let parameters = PatchParams::default();
            let patch = Patch::Merge(&patch);
            let changed = pods.patch_metadata(&place.name, &parameters, &patch);
            if let Err(error) = ask("make the kubelet look at the pod", changed).await {
                tracing::debug!(%error, pod = place.name, "the kubelet was not made to look at the pod");
            }
        }
    }
}
