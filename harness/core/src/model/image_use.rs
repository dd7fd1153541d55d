//! Which images containers ran, by the digests that the API read back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image_digest::ImageDigest;

/// The images of a run by what they are for: `agent`, `application`, `driver`, `proxy`.
pub type ImagesInUse = BTreeMap<String, ImageUse>;

/// The image of one role over a whole run.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImageUse {
    /// The name that the pods gave.
    pub name: String,
    /// The digests that are right: of the image that was built, or that was asked for. Empty where they are not known.
    pub expected: Vec<ImageDigest>,
    /// The digests that containers ran, each with the number of pods that had it.
    pub digests: BTreeMap<ImageDigest, u64>,
}

/// The image of one container of a pod, as the API reports it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContainerImage {
    /// The container.
    pub container: String,
    /// The name that the pod gives.
    pub name: String,
    /// The digest of what runs; none before something has run.
    pub digest: Option<ImageDigest>,
    /// The digests that are right; empty where they are not known.
    pub expected: Vec<ImageDigest>,
    /// Why the container does not run: the kubelet's reason, `ErrImageNeverPull`, and its message.
    pub waiting: Option<(String, String)>,
}
