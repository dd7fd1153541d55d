//! Which pod is followed, and what the API said of it last.

use k8s_openapi::api::core::v1::Pod;

/// What the API said last of the pod.
#[derive(Clone, Debug, Default)]
pub(in crate::kube) struct Latest {
    /// The pod; none before it was seen.
    pub pod: Option<Pod>,
    /// How much of it has ended.
    pub stage: Stage,
}

/// How much of a pod has ended.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::kube) enum Stage {
    /// Something of it may run, or may come to run.
    #[default]
    Alive,
    /// All of it has ended. The API still has it, and may for many seconds.
    Ended,
    /// The API has it no more.
    Gone,
}

/// Which pod is followed.
#[derive(Clone, Debug)]
pub(in crate::kube) struct PodPlace {
    pub namespace: String,
    pub name: String,
}

impl PodPlace {
    /// Names a pod.
    pub(in crate::kube) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}
