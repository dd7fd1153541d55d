//! Makes the environment of a run: where its pods run, and what the agent can do there.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::folders::cluster_records;
use super::place::{KubernetesPlace, Place};
use super::programs::GivenBinaries;
use super::setup_error::SetupError;
use super::setup_options::SetupOptions;
use super::subjects::Subjects;
use harness_artifacts::executable::Identity;
use harness_artifacts::image::ImageRole;
use harness_core::model::agent_description::AgentDescription;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::feature::{Feature, FeatureSet};
use harness_core::model::identity::RunId;
use harness_core::stack::assemble::AgentOverrides;
use harness_environment::Environment;
use harness_environment::kube::{
    self, ClusterChoice, KubeEnvironment, KubeOptions, LeaseFolder, Trial,
};
use harness_environment::local::{
    ImageTable, LocalEnvironment, LocalOptions, check_resources, probe_support,
};

/// The option of the agent that makes it take response data.
const RESPONSE_DATA_OPTION: &str = "envoy-expect-response-data";

/// What making an environment needs.
pub(super) struct EnvironmentNeeds<'a> {
    /// The run.
    pub(super) run: &'a RunId,
    /// What takes part.
    pub(super) subjects: &'a Subjects,
    /// What the user chose.
    pub(super) options: &'a SetupOptions,
    /// The folder of short-lived files.
    pub(super) runtime: &'a Utf8Path,
    /// The folder of the images' archives.
    pub(super) archives: &'a Utf8Path,
}

/// What the agent under test can do.
pub(super) struct AgentAbilities {
    /// Whether it has the option for it.
    pub(super) takes_response_data: bool,
    /// Whether it can be made wrong by `STUB_*` settings.
    pub(super) is_reference_stub: bool,
}

impl AgentAbilities {
    fn of(agent: &Identity) -> Self {
        Self {
            takes_response_data: agent.has_option(RESPONSE_DATA_OPTION),
            is_reference_stub: agent.is_reference_stub(),
        }
    }
}

/// Returns the features of `local` on this machine with the reference stub: what is known without starting anything.
pub fn features_of_local_with_the_stub() -> FeatureSet {
    let environment = LocalEnvironment::new(LocalOptions {
        images: ImageTable::default(),
        conformance: Utf8PathBuf::new(),
        runtime: Utf8PathBuf::new(),
        agent_egress: AgentEgress::None,
    });
    let stub = AgentAbilities {
        takes_response_data: true,
        is_reference_stub: true,
    };
    features_of(
        &environment,
        &stub,
        &AgentOverrides::default(),
        &AgentDescription::default(),
    )
}

/// Returns what an environment and an agent can do together.
pub(super) fn features_of(
    environment: &dyn Environment,
    agent: &AgentAbilities,
    overrides: &AgentOverrides,
    described: &AgentDescription,
) -> FeatureSet {
    let mut features = environment.features();
    // Nothing tells it before the agent runs: a description may say otherwise.
    features.insert(Feature::VendorInterface);
    if overrides.keep_data_log() {
        features.insert(Feature::DataLog);
        if agent.takes_response_data {
            features.insert(Feature::ResponseData);
        }
    }
    if agent.is_reference_stub {
        features.insert(Feature::AgentFaultInjection);
        features.insert(Feature::ReferenceRules);
        // The vendor documents host and port only.
        features.insert(Feature::AgentUnixSocket);
    }
    features.retain(|feature| described.may_have(*feature));
    features
}

type EnvironmentMade = (Arc<dyn Environment>, AgentAbilities);

/// Makes the environment that the user chose. `say` hears what takes time.
pub(super) async fn make_environment(
    needs: &EnvironmentNeeds<'_>,
    say: &(impl Fn(&str) + Sync),
) -> Result<EnvironmentMade, SetupError> {
    match &needs.options.place {
        Place::Local => local(needs).await,
        Place::Kubernetes(chosen) => Box::pin(kubernetes(needs, chosen.clone(), say)).await,
    }
}

async fn local(needs: &EnvironmentNeeds<'_>) -> Result<EnvironmentMade, SetupError> {
    let subjects = needs.subjects;
    check_resources()?;
    probe_support(&subjects.conformance).await?;
    let programs = &subjects.programs;
    let images = ImageTable {
        executables: ImageRole::ALL
            .into_iter()
            .filter_map(|role| Some((role.manifest_image()?.to_owned(), programs.of(role)?)))
            .chain(needs.options.further_images.clone())
            .collect(),
    };
    let environment = LocalEnvironment::new(LocalOptions {
        images,
        conformance: subjects.conformance.clone(),
        runtime: needs.runtime.into(),
        agent_egress: needs.options.agent_egress.clone(),
    });
    Ok((Arc::new(environment), AgentAbilities::of(subjects.agent())))
}

async fn kubernetes(
    needs: &EnvironmentNeeds<'_>,
    chosen: KubernetesPlace,
    say: &(impl Fn(&str) + Sync),
) -> Result<EnvironmentMade, SetupError> {
    let records = cluster_records(needs.runtime);
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
            agent: needs.options.agent_binary.as_deref(),
            application: needs.options.app_binary.as_deref(),
        };
        let images = needs.subjects.images(given, needs.archives, say);
        Some(images.await?)
    };
    let needed = &needs.options.needed;
    let options = KubeOptions {
        cluster: chosen.cluster,
        run: needs.run.clone(),
        built,
        images: chosen.images,
        keeping: chosen.keeping,
        service_trial: Trial::of(Feature::Rollout, needed),
        terminating_trial: Trial::of_any(
            &[
                Feature::TerminatingEndpointsUnused,
                Feature::TerminatingEndpointsUsed,
            ],
            needed,
        ),
        admission_trial: Trial::of(Feature::PodSecurityAdmission, needed),
        runtime: needs.runtime.into(),
        leases,
        records,
    };
    let environment = Box::pin(KubeEnvironment::prepare(options, say)).await?;
    let agent = match environment.agent() {
        Some(traits) => AgentAbilities {
            takes_response_data: traits.has_option(RESPONSE_DATA_OPTION),
            is_reference_stub: traits.is_reference_stub(),
        },
        None => AgentAbilities::of(needs.subjects.agent()),
    };
    Ok((Arc::new(environment), agent))
}
