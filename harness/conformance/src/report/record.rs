//! The record of a run: `report.json`, and what every other report is made of.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Decisions;
pub use super::place_record::PlaceRecord;
use crate::procedure::{MatrixCell, MatrixCount};
use harness_artifacts::executable::Identity;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::call_expectation::CallOutcome;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::Feature;
use harness_core::model::finding::{Finding, ScenarioResult};
use harness_core::model::identity::RunId;
use harness_core::model::image_use::ImagesInUse;
use harness_core::model::kubelet::Kubelet;
use harness_core::model::level::Level;
use harness_core::model::outcome::Outcome;
use harness_core::model::phase::Phase;
use harness_core::model::scenario_name::ScenarioName;
use harness_core::model::timeline::TimelineEvent;
use harness_core::model::timespan::TimeSpan;
use harness_verdict::witness::reconciliation::Reconciliation;

/// The version of the record's format: raised when a reader of the old one would misread the new one.
///
/// Version 2: findings carry their severity, and what was expected and observed as data instead of prose.
pub const SCHEMA_VERSION: u32 = 2;

/// Everything that a run found out.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunRecord {
    /// The version of this format.
    pub schema_version: u32,
    /// The run.
    pub run: RunId,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When it ended.
    #[schemars(with = "String")]
    pub finished_at: Timestamp,
    /// Where the scenarios ran.
    pub environment: EnvironmentRecord,
    /// How the run was started: `replay` starts it so again. Keys are no part of it.
    #[serde(default)]
    pub options: RunOptionsRecord,
    /// What was under test and what tested it, by digest: `agent`, `application`, `envoy`, `harness`.
    pub subjects: BTreeMap<String, Identity>,
    /// Every selected scenario, by name.
    pub scenarios: Vec<ScenarioRecord>,
    /// What was wrong with the run as a whole: images that were not those asked for.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Counts over all scenarios.
    pub totals: Totals,
    /// SHA-256 of the decision record, `decisions.tsv`, lower-case hex: the same decisions have the same digest.
    #[serde(default)]
    pub decisions_sha256: String,
    /// The exit code of the run.
    pub exit_code: u8,
}

/// How a run was started.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunOptionsRecord {
    /// The project's folder; none for the project that the harness carries.
    #[schemars(with = "Option<String>")]
    pub project: Option<Utf8PathBuf>,
    /// The folder of proxy configurations that was named in place of the project's.
    #[schemars(with = "Option<String>")]
    pub envoy_configs: Option<Utf8PathBuf>,
    /// The folders of further scenarios.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub scenarios: Vec<Utf8PathBuf>,
    /// The description of the agent that was named; none for an agent as the vendor documents it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub agent_profile: Option<Utf8PathBuf>,
    /// The Envoy that was asked for; none for the default.
    pub envoy: Option<String>,
    /// The agent that was named; none for the reference stub.
    #[schemars(with = "Option<String>")]
    pub agent_binary: Option<Utf8PathBuf>,
    /// The application that was named; none for helloworld.
    #[schemars(with = "Option<String>")]
    pub app_binary: Option<Utf8PathBuf>,
    /// Environment variables that were set for every agent.
    pub agent_env: BTreeMap<String, String>,
    /// The way out that the agent of a `local` pod had: `none`, `host` or the address of a proxy.
    #[serde(default)]
    pub agent_egress: AgentEgress,
    /// By how much every bound was multiplied.
    pub slow_down: u32,
    /// How long an agent had to be seen to apply its rules, where that was said.
    #[serde(default)]
    pub enforcing_within: Option<TimeSpan>,
    /// Where the pods ran, as it was asked for; none for `local`.
    #[serde(default)]
    pub place: Option<PlaceRecord>,
}

/// Where the scenarios ran.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnvironmentRecord {
    /// Where: `local`, `kind`, …
    pub name: EnvironmentKind,
    /// Whether the kubelet was rehearsed: lifecycle results of such a run never count towards a qualification.
    pub kubelet: Kubelet,
    /// What the environment and the agent can do.
    pub features: BTreeSet<Feature>,
    /// Kernel, Kubernetes version, runtime.
    pub facts: BTreeMap<String, String>,
    /// Which images ran, by role, as the API read their digests back; none where there are no images.
    #[serde(default)]
    pub images: ImagesInUse,
}

/// What became of one scenario.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScenarioRecord {
    /// `<group>::<name>`.
    pub name: ScenarioName,
    /// The id in the catalogue.
    pub id: String,
    /// What holds.
    pub summary: String,
    /// The procedure.
    pub procedure: String,
    /// Whether every agent must pass it.
    pub level: Level,
    /// The scenario file.
    #[schemars(with = "String")]
    pub file: Utf8PathBuf,
    /// SHA-256 of the scenario and its payloads, lower-case hex.
    pub sha256: String,
    /// What it ended with.
    pub result: ScenarioResult,
    /// From the pod's creation to the verdict, in milliseconds.
    pub elapsed_milliseconds: u64,
    /// What its time was spent on, in milliseconds.
    #[serde(default)]
    pub phases: BTreeMap<Phase, u64>,
    /// The totals of its requests.
    pub reconciliation: Reconciliation,
    /// Figures that are reported and not judged.
    pub observations: BTreeMap<String, String>,
    /// How the requests of a corpus came out, by where their values stood.
    #[serde(default)]
    pub matrix: Vec<MatrixRow>,
    /// What was decided upon each of its cases; `decisions.tsv` shows them.
    #[serde(skip)]
    pub decisions: Decisions,
    /// What happened to the pod.
    pub timeline: Vec<TimelineEvent>,
    /// What happened to each pod, where the scenario had a fleet of them.
    #[serde(default)]
    pub pods: Vec<PodRecord>,
    /// The evidence folder, relative to the folder of this report; only for what did not pass.
    #[schemars(with = "Option<String>")]
    pub evidence: Option<Utf8PathBuf>,
}

/// What happened to one pod of a fleet.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodRecord {
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub timeline: Vec<TimelineEvent>,
}

/// One row of the matrix of a corpus.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MatrixRow {
    /// Where the values stood.
    pub cell: MatrixCell,
    /// How the requests came out.
    pub count: MatrixCount,
}

/// Counts over all scenarios.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Totals {
    /// Scenarios by result.
    pub results: BTreeMap<String, u64>,
    /// Requests that were judged.
    pub requests: u64,
    /// Judged requests by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Judged calls to the agent by what they came to.
    #[serde(default)]
    pub calls: BTreeMap<CallOutcome, u64>,
}

impl Totals {
    /// Counts scenarios and requests.
    pub fn of(scenarios: &[ScenarioRecord]) -> Self {
        let mut totals = Self::default();
        for scenario in scenarios {
            *totals
                .results
                .entry(scenario.result.as_str().into())
                .or_default() += 1;
            for (outcome, count) in &scenario.reconciliation.outcomes {
                *totals.outcomes.entry(*outcome).or_default() += count;
                totals.requests += count;
            }
            for (outcome, count) in &scenario.reconciliation.calls {
                *totals.calls.entry(*outcome).or_default() += count;
            }
        }
        totals
    }

    /// Returns how many scenarios ended with this result.
    pub fn count(&self, word: &str) -> u64 {
        self.results.get(word).copied().unwrap_or_default()
    }
}
