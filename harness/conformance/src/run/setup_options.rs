//! What a run is asked to do, as far as its set-up is concerned.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::place::Place;
use crate::catalogue::scenario::Scenario;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::feature::FeatureSet;
use harness_core::model::scenario_name::ScenarioName;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::assemble::AgentOverrides;

/// Scenarios that are left out, each with its reason.
pub type Exclusions = BTreeMap<ScenarioName, String>;

/// What the user chose.
#[derive(Clone, Debug, Default)]
pub struct SetupOptions {
    /// `--environment`.
    pub place: Place,
    /// The selected scenarios, where the files that they deploy are to be checked before anything is started; each checks its own in any case.
    pub checked: Vec<Arc<Scenario>>,
    /// What the selected scenarios need together: what takes time to find out is tried only for them.
    pub needed: FeatureSet,
    /// `--envoy`: a path or a version.
    pub envoy: Option<String>,
    /// `--agent-binary`.
    pub agent_binary: Option<Utf8PathBuf>,
    /// Executables of images that no manifest of the project names, in `local` alone: by the image's name.
    pub further_images: BTreeMap<String, Utf8PathBuf>,
    /// `--app-binary`.
    pub app_binary: Option<Utf8PathBuf>,
    /// `--agent-env`.
    pub overrides: AgentOverrides,
    /// `--agent-egress`, in `local` alone.
    pub agent_egress: AgentEgress,
    /// `--output`: the folder that holds the runs' folders.
    pub output: Option<Utf8PathBuf>,
    /// Scenarios that are left out.
    pub exclusions: Exclusions,
    /// `--enforcing-within`.
    pub enforcing_within: Option<TimeSpan>,
    /// `--scenario-timeout`.
    pub scenario_timeout: Option<TimeSpan>,
    /// `--evidence-limit`, in MiB.
    pub evidence_limit_mebibytes: Option<u64>,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--slow-down`: by how much every bound is multiplied; 0 counts as 1.
    pub slow_down: u32,
    /// The `conformance` executable, where this process is another one (a test target).
    pub conformance: Option<Utf8PathBuf>,
}
