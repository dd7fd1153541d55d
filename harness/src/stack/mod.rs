//! What is deployed: one pod template with its secrets and config maps, the same in every environment.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;

use self::secret::SecretText;

pub mod secret;

/// Everything that an environment needs to bring up one pod.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The pod, as Kubernetes would be given it.
    pub pod: PodSpec,
    /// Config maps by name; each a map from file name to content.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Secrets by name; each a map from key to value.
    pub secrets: BTreeMap<String, BTreeMap<String, SecretText>>,
}
