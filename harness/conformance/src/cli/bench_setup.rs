//! What a benchmark and a ladder set up alike.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::bench_options::{ArrivalChoice, CommonOptions, Property};
use super::error::CliError;
use crate::bench::error::BenchError;
use crate::bench::stack::{CANDIDATE_IMAGE, NULL_IMAGE, Subject, is_fixed};
use crate::catalogue::configuration::ConfigurationFile;
use crate::run::programs::{carried, given_executable, own_executable};
use crate::run::setup::SetupOptions;
use harness_artifacts::executable::CarriedProgram;
use harness_core::model::agent_egress::AgentEgress;
use harness_core::stack::assemble::AgentOverrides;
use harness_traffic::latency::plan::Arrivals;

/// Returns the images that a pod of a benchmark has beside those of a scenario.
pub(super) fn null_image() -> Result<BTreeMap<String, Utf8PathBuf>, CliError> {
    let null_agent = carried(CarriedProgram::NullAgent, &own_executable()?)?;
    Ok(BTreeMap::from([(NULL_IMAGE.to_owned(), null_agent)]))
}

/// Returns what is set up: what the options say, else what `conformance.yaml` does.
pub(super) fn setup_options(
    common: &CommonOptions,
    further_images: BTreeMap<String, Utf8PathBuf>,
) -> Result<SetupOptions, CliError> {
    let configured = common.project.configuration()?;
    let (executables, variables) = match &configured {
        Some(configured) => {
            refuse_what_has_no_effect(&configured.content)?;
            let variables = configured.content.agent.env.iter();
            let variables = variables.map(|(name, value)| (name.clone(), value.value.clone()));
            let executables = common.executables.or_as_configured(&configured.content);
            (executables, variables.collect())
        }
        None => (common.executables.clone(), BTreeMap::new()),
    };
    let slow_down = configured
        .as_ref()
        .and_then(|configured| configured.content.slow_down);
    let slow_down = slow_down.map(|factor| factor.value);
    Ok(SetupOptions {
        envoy: executables.envoy,
        agent_binary: executables.agent_binary,
        app_binary: executables.app_binary,
        overrides: AgentOverrides { variables },
        output: common.output.clone(),
        further_images,
        slow_down: slow_down.unwrap_or_default(),
        ..SetupOptions::default()
    })
}

/// Refuses what a configuration file says of the agent and a benchmark cannot carry out.
fn refuse_what_has_no_effect(configured: &ConfigurationFile) -> Result<(), BenchError> {
    if configured
        .agent_egress()
        .is_some_and(|egress| egress != AgentEgress::None)
    {
        return Err(BenchError::NoEgress);
    }
    match configured.agent.env.keys().find(|name| is_fixed(name)) {
        Some(variable) => Err(BenchError::FixedVariable {
            variable: variable.clone(),
        }),
        None => Ok(()),
    }
}

/// Returns an agent with these properties, and notes the image of an executable of its own.
pub(super) fn subject(
    properties: &[Property],
    images: &mut BTreeMap<String, Utf8PathBuf>,
) -> Result<Subject, CliError> {
    let mut subject = Subject::default();
    for property in properties {
        match property {
            Property::Binary(path) => {
                let path = given_executable(path, "--b binary")?;
                images.insert(CANDIDATE_IMAGE.into(), path);
                subject.image = Some(CANDIDATE_IMAGE);
            }
            Property::Variable(name, _) if is_fixed(name) => {
                let variable = name.clone();
                return Err(BenchError::FixedVariable { variable }.into());
            }
            Property::Variable(name, value) => {
                subject.variables.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(subject)
}

impl From<ArrivalChoice> for Arrivals {
    fn from(choice: ArrivalChoice) -> Self {
        match choice {
            ArrivalChoice::Constant => Self::Constant,
            ArrivalChoice::Poisson => Self::Poisson,
        }
    }
}
