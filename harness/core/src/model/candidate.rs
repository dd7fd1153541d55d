//! Another agent that takes the place of the one that runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;

/// Another agent than the fleet began with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Candidate {
    /// Its environment variables that are set or replaced.
    #[serde(default)]
    pub agent_env: BTreeMap<String, String>,
    /// Its image, by the name under which the cluster has it; the run's own when not given.
    #[serde(default)]
    pub image: Option<String>,
    /// The status with which it denies attacks; that of the first agent when not given.
    #[serde(default)]
    pub denied_with: Option<Located<u16>>,
}
