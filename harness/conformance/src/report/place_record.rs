//! Where the pods of a run were to run, as the user said it: `replay` runs them there again.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use harness_artifacts::image::ImageRole;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::pull_policy::PullPolicy;

/// The options of a run in a cluster.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlaceRecord {
    /// `--environment`.
    pub environment: EnvironmentKind,
    /// `--context`.
    pub context: Option<String>,
    /// `--node-image`.
    pub node_image: Option<String>,
    /// `--nodes`.
    #[serde(default)]
    pub nodes: Option<u8>,
    /// `--keep`.
    pub keep: bool,
    /// `--agent-image` and its like, by role.
    pub images: BTreeMap<ImageRole, String>,
    /// `--image-load`.
    pub image_load: Option<String>,
    /// `--registry`.
    pub registry: Option<String>,
    /// `--pull-policy`.
    pub pull_policy: Option<PullPolicy>,
    /// `--pull-secret`.
    pub pull_secret: Option<String>,
    /// `--expect-digest`, by role.
    pub expected_digests: BTreeMap<ImageRole, ImageDigest>,
}
