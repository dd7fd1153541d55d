//! Everything that a run needs before its first scenario: executables, keys, the environment, what they can do.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::folders::{cluster_records, image_folder, make_runtime_folder};
use super::place::{KubernetesPlace, Place};
use super::programs::{GivenBinaries, Programs, find_programs, make_images, own_executable};
use super::proxy_validation::ProxyValidator;
use crate::environment::kube::{
    self, ClusterChoice, KubeEnvironment, KubeOptions, LeaseError, LeaseFolder, Trial,
};
use crate::environment::local::{
    LocalEnvironment, LocalOptions, check_resources, probe_support, sweep,
};
use crate::environment::{Environment, EnvironmentFault, ImageTable, RunFolder};
use crate::executable::{ExecutableError, Identity};
use crate::image::{ImageError, ImageRole};
use crate::model::feature::{Feature, FeatureSet};
use crate::model::finding::ScenarioResult;
use crate::model::identity::RunId;
use crate::model::load::{Corpora, Project};
use crate::model::scenario::Scenario;
use crate::model::timeouts::Timeouts;
use crate::procedure::error::fault_hints;
use crate::report::evidence::Output;
use crate::report::record::RunOptionsRecord;
use crate::report::redaction::Redactor;
use crate::stack::assemble::AgentOverrides;
use crate::stack::keys::{AgentKeys, KeysError};

/// Where the logs of a run's pods lie while it goes on: with what the next start sweeps away, since they are not redacted.
const POD_LOGS: &str = "pods";

/// The option of the agent that makes it take response data.
const RESPONSE_DATA_OPTION: &str = "envoy-expect-response-data";

/// What the user chose.
#[derive(Clone, Debug, Default)]
pub struct SetupOptions {
    /// `--environment`.
    pub place: Place,
    /// What the selected scenarios need together: what takes time to find out is tried only for them.
    pub needed: FeatureSet,
    /// `--envoy`: a path or a version.
    pub envoy: Option<String>,
    /// `--agent-binary`.
    pub agent_binary: Option<Utf8PathBuf>,
    /// `--app-binary`.
    pub app_binary: Option<Utf8PathBuf>,
    /// `--agent-env`.
    pub overrides: AgentOverrides,
    /// `--output`: the folder that holds the runs' folders.
    pub output: Option<Utf8PathBuf>,
    /// `--jobs`.
    pub jobs: Option<usize>,
    /// `--slow-down`: by how much every bound is multiplied; 0 counts as 1.
    pub slow_down: u32,
    /// The `conformance` executable, where this process is another one (a test target).
    pub conformance: Option<Utf8PathBuf>,
}

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
    pub proxy_validator: ProxyValidator,
    /// What takes part, by role.
    pub subjects: BTreeMap<String, Identity>,
    /// What the environment and the agent can do.
    pub features: FeatureSet,
    /// The agent's keys.
    pub keys: Arc<AgentKeys>,
    /// Settings of the user for every agent.
    pub overrides: AgentOverrides,
    /// The bounds of all waits.
    pub timeouts: Arc<Timeouts>,
    /// How the run was started.
    pub options: RunOptionsRecord,
    /// The run's folder.
    pub output: Output,
    /// How many scenarios run at the same time.
    pub jobs: usize,
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An executable is not there.
    #[error(transparent)]
    Executable(#[from] ExecutableError),
    /// There are no keys for the agent.
    #[error("there are no keys for the agent")]
    Keys(#[from] KeysError),
    /// The environment cannot run pods.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// An image cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It cannot be known which clusters are kept.
    #[error("it cannot be known which clusters are kept")]
    Lease(#[from] LeaseError),
    /// What an earlier run left cannot be removed.
    #[error("cannot remove what an earlier run left in {path}")]
    Sweep {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The run's folder cannot be made.
    #[error("cannot write reports to {path}")]
    Output {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The folder of short-lived files cannot be had.
    #[error("cannot use {path} for short-lived files")]
    Runtime {
        /// The folder.
        path: Utf8PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The harness cannot find itself.
    #[error("cannot find the harness's own executable")]
    OwnExecutable(#[source] std::io::Error),
}

impl SetupError {
    /// Returns what the user can do.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Executable(error) => error.hint().into_iter().collect(),
            Self::Environment(fault) => fault_hints(fault),
            Self::Image(_) => vec!["images can be named instead: `--agent-image`, `--envoy-image`, `--app-image`, `--driver-image`".into()],
            Self::Lease(_) => vec!["set HOME or XDG_STATE_HOME".into()],
            Self::Keys(_) => vec![
                "set both CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY, or neither for invented keys".into(),
            ],
            Self::Sweep { .. } => vec!["`conformance clean` tries again and says more".into()],
            Self::Runtime { .. } => vec!["remove it if it is not yours".into()],
            Self::Output { .. } => vec!["choose another folder with `--output DIR`".into()],
            Self::OwnExecutable(_) => Vec::new(),
        }
    }
}

impl RunSetup {
    /// Returns the verdict on a scenario that need not be run to be judged: one that needs what is not there.
    pub fn verdict_before_run(&self, scenario: &Scenario) -> Option<ScenarioResult> {
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
pub async fn prepare(
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
    let programs = find_programs(&options, &say)?;
    let conformance = match &options.conformance {
        Some(path) => path.clone(),
        None => own_executable()?,
    };
    let slow_down = options.slow_down.max(1);
    let record = RunOptionsRecord {
        project: project.root.clone(),
        envoy_configs: project.envoy_configs.clone(),
        envoy: options.envoy.clone(),
        agent_binary: options.agent_binary.clone(),
        app_binary: options.app_binary.clone(),
        agent_env: options.overrides.variables.clone(),
        slow_down,
        place: options.place.record(),
    };
    let run = RunId::generate(Timestamp::now(), std::process::id());
    let keys = AgentKeys::from_environment()?;
    let folder = options
        .output
        .unwrap_or_else(|| project.root.join("target/conformance"))
        .join(run.as_str());
    fs_err::create_dir_all(&folder).map_err(|source| SetupError::Output {
        path: folder.clone(),
        source,
    })?;
    let subjects = BTreeMap::from([
        ("agent".to_owned(), Identity::of(&programs.agent)?),
        (
            "application".to_owned(),
            Identity::of(&programs.application)?,
        ),
        ("envoy".to_owned(), Identity::of(&programs.envoy)?),
        ("harness".to_owned(), Identity::of(&conformance)?),
    ]);
    let place = PlaceSetup {
        run: &run,
        programs: &programs,
        conformance: &conformance,
        runtime: &runtime,
        agent: &subjects["agent"],
        agent_binary: options.agent_binary.as_deref(),
        app_binary: options.app_binary.as_deref(),
        archives: image_folder(&project.root),
        service_trial: Trial::of(Feature::Rollout, &options.needed),
        admission_trial: Trial::of(Feature::PodSecurityAdmission, &options.needed),
    };
    let jobs_per_core = options.place.jobs_per_core();
    let timeouts = match options.place {
        Place::Local => Timeouts::default(),
        Place::Kubernetes(_) => Timeouts::default().in_a_cluster(),
    };
    let (environment, agent) = match options.place {
        Place::Local => local_environment(&place).await?,
        Place::Kubernetes(chosen) => Box::pin(kubernetes_environment(&place, chosen, &say)).await?,
    };
    let mut features = environment.features();
    if agent.takes_response_data {
        features.insert(Feature::ResponseData);
    }
    if agent.is_reference_stub {
        features.insert(Feature::AgentFaultInjection);
        // The vendor documents host and port only.
        features.insert(Feature::AgentUnixSocket);
    }
    let checks =
        RunFolder::create(&runtime, &run.of_checks()).map_err(|source| SetupError::Runtime {
            path: runtime,
            source,
        })?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(RunSetup {
        run,
        output: Output::new(folder, Redactor::new(&keys)),
        project,
        corpora: Arc::new(corpora),
        environment,
        envoy: programs.envoy,
        proxy_validator: ProxyValidator::new(checks),
        subjects,
        features,
        keys: Arc::new(keys),
        overrides: options.overrides,
        timeouts: Arc::new(timeouts.slowed_down(slow_down)),
        options: record,
        jobs: options.jobs.unwrap_or(cores * jobs_per_core),
    })
}

/// What making an environment needs.
struct PlaceSetup<'a> {
    run: &'a RunId,
    programs: &'a Programs,
    conformance: &'a Utf8Path,
    runtime: &'a Utf8Path,
    agent: &'a Identity,
    agent_binary: Option<&'a Utf8Path>,
    app_binary: Option<&'a Utf8Path>,
    archives: Utf8PathBuf,
    service_trial: Trial,
    admission_trial: Trial,
}

/// What the agent under test can do.
struct AgentAbilities {
    takes_response_data: bool,
    is_reference_stub: bool,
}

impl AgentAbilities {
    fn of(agent: &Identity) -> Self {
        Self {
            takes_response_data: agent.has_option(RESPONSE_DATA_OPTION),
            is_reference_stub: agent.is_reference_stub(),
        }
    }
}

type PlaceMade = (Arc<dyn Environment>, AgentAbilities);

async fn local_environment(setup: &PlaceSetup<'_>) -> Result<PlaceMade, SetupError> {
    check_resources(setup.runtime)?;
    probe_support(setup.conformance).await?;
    let programs = setup.programs;
    let images = ImageTable {
        executables: ImageRole::ALL
            .into_iter()
            .filter_map(|role| Some((role.manifest_image()?.to_owned(), programs.of(role)?)))
            .collect(),
    };
    let environment = LocalEnvironment::new(LocalOptions {
        images,
        conformance: setup.conformance.into(),
        logs: setup.runtime.join(setup.run.as_str()).join(POD_LOGS),
        runtime: setup.runtime.into(),
    });
    Ok((Arc::new(environment), AgentAbilities::of(setup.agent)))
}

async fn kubernetes_environment(
    setup: &PlaceSetup<'_>,
    chosen: KubernetesPlace,
    say: &(impl Fn(&str) + Sync),
) -> Result<PlaceMade, SetupError> {
    let records = cluster_records(setup.runtime);
    let leases = LeaseFolder::of_user()?;
    let mut swept = kube::sweep(&records, &leases).await?;
    if let ClusterChoice::Made { tool, .. } = &chosen.cluster {
        kube::try_tool(*tool).await?;
        swept.extend(kube::sweep_leases(&leases, &[*tool]).await?);
    }
    if !swept.is_empty() {
        say(&format!(
            "removed clusters of earlier runs: {}",
            swept.join(", ")
        ));
    }
    let built = if chosen.images.named.missing().is_empty() {
        None
    } else {
        let given = GivenBinaries {
            agent: setup.agent_binary,
            application: setup.app_binary,
        };
        Some(make_images(&setup.programs.envoy, &given, &setup.archives, say).await?)
    };
    let options = KubeOptions {
        cluster: chosen.cluster,
        run: setup.run.clone(),
        built,
        images: chosen.images,
        keeping: chosen.keeping,
        service_trial: setup.service_trial,
        admission_trial: setup.admission_trial,
        runtime: setup.runtime.into(),
        leases,
        records,
    };
    let environment = Box::pin(KubeEnvironment::prepare(options, say)).await?;
    let agent = match environment.agent() {
        Some(traits) => AgentAbilities {
            takes_response_data: traits.has_option(RESPONSE_DATA_OPTION),
            is_reference_stub: traits.is_reference_stub(),
        },
        None => AgentAbilities::of(setup.agent),
    };
    Ok((Arc::new(environment), agent))
}
