//! Everything that a run needs before its first scenario: executables, keys, the environment, what they can do.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::enforcement::EnforcementSeen;
use super::environments::{EnvironmentNeeds, features_of, make_environment};
use super::fitness;
use super::fitness_by_envoy;
use super::folders::make_runtime_folder;
use super::place::Place;
use super::proxy_validation::ProxyValidator;
use super::setup_error::SetupError;
pub use super::setup_options::{Exclusions, SetupOptions};
use super::subjects::Subjects;
use crate::catalogue::scenario::Scenario;
use crate::report::evidence::Output;
use crate::report::evidence_ledger::{DEFAULT_LIMIT_MEBIBYTES, EvidenceLedger};
use crate::report::record::RunOptionsRecord;
use harness_artifacts::executable::Identity;
use harness_core::model::agent_description::AgentDescription;
use harness_core::model::corpora::Corpora;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::finding::ScenarioResult;
use harness_core::model::identity::RunId;
use harness_core::model::project::{Project, ProjectOrigin};
use harness_core::model::timeouts::Timeouts;
use harness_core::redaction::Redactor;
use harness_core::stack::assemble::AgentOverrides;
use harness_core::stack::keys::AgentKeys;
use harness_environment::local::sweep;
use harness_environment::{Environment, RunFolder};

/// The folder of a run in which configurations are left that Envoy has refused.
pub(super) const REFUSED_CONFIGS: &str = "refused";

/// A run that is ready to begin.
#[derive(Debug)]
pub struct RunSetup {
    /// The run.
    pub run: RunId,
    /// The project's folders.
    pub project: Project,
    /// What scenarios draw requests from.
    pub corpora: Arc<Corpora>,
    /// Where the scenarios run.
    pub environment: Arc<dyn Environment>,
    /// Envoy.
    pub envoy: Utf8PathBuf,
    /// Which configurations Envoy has accepted.
    pub proxy_validator: Arc<ProxyValidator>,
    /// What takes part, by role.
    pub subjects: BTreeMap<String, Identity>,
    /// What the environment and the agent can do.
    pub features: FeatureSet,
    /// Scenarios that are left out.
    pub exclusions: Exclusions,
    /// The agent's keys.
    pub keys: Arc<AgentKeys>,
    /// Settings of the user for every agent.
    pub overrides: AgentOverrides,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// What the run has seen of enforcement so far.
    pub enforcement: EnforcementSeen,
    /// How the run was started.
    pub options: RunOptionsRecord,
    /// The run's folder.
    pub output: Output,
    /// How many scenarios run at the same time.
    pub jobs: usize,
}

impl RunSetup {
    /// Returns the verdict on a scenario that need not be run to be judged: one that is left out, or that needs what is not there.
    pub fn verdict_before_run(&self, scenario: &Scenario) -> Option<ScenarioResult> {
        if let Some(reason) = self.exclusions.get(&scenario.name) {
            return Some(ScenarioResult::Excluded {
                reason: reason.clone(),
            });
        }
        let missing: Vec<Feature> = scenario
            .spec
            .features
            .difference(&self.features)
            .copied()
            .collect();
        let reasons = missing
            .iter()
            .filter_map(|feature| Some((*feature, self.environment.why_not(*feature)?)))
            .collect();
        (!missing.is_empty()).then_some(ScenarioResult::Unsupported { missing, reasons })
    }
}

/// Prepares a run. `say` hears what takes time.
///
/// # Errors
///
/// When something is not there that every scenario needs, or a file that one of `options.checked` deploys is unfit.
pub async fn prepare(
    project: Project,
    corpora: Corpora,
    options: SetupOptions,
    say: impl Fn(&str) + Send + Sync + 'static,
) -> Result<RunSetup, SetupError> {
    let checked = options.checked.iter().map(AsRef::as_ref);
    fitness::require(&project, checked, &options.place)?;
    let subjects = Subjects::find(&options, &say)?;
    prepare_with(&subjects, project, corpora, options, say).await
}

/// Prepares a run of subjects that have been found already. `say` hears what takes time.
///
/// # Errors
///
/// As [`prepare`].
pub async fn prepare_with(
    subjects: &Subjects,
    project: Project,
    corpora: Corpora,
    options: SetupOptions,
    say: impl Fn(&str) + Send + Sync + 'static,
) -> Result<RunSetup, SetupError> {
    let runtime = make_runtime_folder()?;
    let swept = sweep(&runtime).map_err(|source| SetupError::Sweep {
        path: runtime.clone(),
        source,
    })?;
    if !swept.removed.is_empty() {
        say(&format!(
            "removed what earlier runs left: {}",
            swept.removed.join(", ")
        ));
    }
    let options = as_described(options, &project.agent);
    let slow_down = options.slow_down.max(1);
    let record = RunOptionsRecord {
        project: match project.origin {
            ProjectOrigin::Carried => None,
            ProjectOrigin::Folder => Some(project.root.clone()),
        },
        envoy_configs: Some(project.envoy_configs.clone())
            .filter(|folder| *folder != Project::at(&project.root).envoy_configs),
        scenarios: project.further_scenarios.clone(),
        agent_profile: project.agent.file.clone(),
        envoy: options.envoy.clone(),
        agent_binary: options.agent_binary.clone(),
        app_binary: options.app_binary.clone(),
        agent_env: options.overrides.variables.clone(),
        agent_egress: options.agent_egress.clone(),
        slow_down,
        enforcing_within: options.enforcing_within,
        place: options.place.record(),
    };
    let run = RunId::generate(Timestamp::now(), std::process::id());
    let keys = AgentKeys::from_environment()?;
    let folder = options
        .output
        .clone()
        .unwrap_or_else(|| project.runs.clone())
        .join(run.as_str());
    fs_err::create_dir_all(&folder).map_err(|source| SetupError::Output {
        path: folder.clone(),
        source,
    })?;
    let timeouts = bounds(&options, slow_down);
    let checks =
        RunFolder::create(&runtime, &run.of_checks()).map_err(|source| SetupError::Runtime {
            path: runtime.clone(),
            source,
        })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let timeouts = Arc::new(timeouts);
    let proxy_validator = Arc::new(ProxyValidator::new(checks));
    let checking = fitness_by_envoy::Checking {
        project: &project,
        keys: &keys,
        envoy: &subjects.programs.envoy,
        validator: &proxy_validator,
        refused: folder.join(REFUSED_CONFIGS),
        within: timeouts.proxy_validate,
        at_a_time: cores,
    };
    fitness_by_envoy::validate(&checking, &options.checked).await?;
    let needs = EnvironmentNeeds {
        run: &run,
        subjects,
        options: &options,
        runtime: &runtime,
        archives: &project.archives,
    };
    let (environment, agent) = make_environment(&needs, &say).await?;
    let features = features_of(&*environment, &agent, &options.overrides, &project.agent);
    Ok(RunSetup {
        run,
        output: Output::new(
            folder,
            Redactor::new(&keys),
            EvidenceLedger::new(
                options
                    .evidence_limit_mebibytes
                    .unwrap_or(DEFAULT_LIMIT_MEBIBYTES),
            ),
        ),
        project,
        corpora: Arc::new(corpora),
        environment,
        envoy: subjects.programs.envoy.clone(),
        proxy_validator,
        subjects: subjects.identities.clone(),
        features,
        exclusions: options.exclusions,
        keys: Arc::new(keys),
        overrides: options.overrides,
        timeouts,
        enforcement: EnforcementSeen::default(),
        options: record,
        jobs: options.jobs.unwrap_or_else(|| options.place.jobs(cores)),
    })
}

/// Returns the options with what follows from the agent's description.
fn as_described(mut options: SetupOptions, agent: &AgentDescription) -> SetupOptions {
    if !agent.may_have(Feature::DataLog) {
        options.overrides.leave_out_data_log();
    }
    options
}

/// Returns the bounds of all waits, by the place of the pods and by what the user chose.
fn bounds(options: &SetupOptions, slow_down: u32) -> Timeouts {
    let usual = match options.place {
        Place::Local => Timeouts::default(),
        Place::Kubernetes(_) => Timeouts::default().in_a_cluster(),
    };
    let mut timeouts = usual.slowed_down(slow_down);
    if let Some(bound) = options.enforcing_within {
        timeouts = timeouts.enforcing_within(bound);
    }
    timeouts.scenario = options
        .scenario_timeout
        .unwrap_or_else(|| timeouts.scenario_in_all());
    timeouts
}
