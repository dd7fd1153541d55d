//! What a benchmark and a ladder set up alike.

use std::collections::BTreeMap;

use super::bench_options::{ArrivalChoice, CommonOptions, Property};
use super::error::CliError;
use super::options::ExecutableOptions;
use crate::bench::error::BenchError;
use crate::bench::proxies::{CANDIDATE_PROXY_IMAGE, ProxyChoice};
use crate::bench::stack::{CANDIDATE_IMAGE, Program, Subject, is_fixed};
use crate::catalogue::configuration::ConfigurationFile;
use crate::report::terminal::remark;
use crate::run::programs::{given_executable, own_executable};
use crate::run::setup::{RunSetup, SetupOptions};
use crate::run::setup_error::SetupError;
use crate::run::subjects::{AGENT, ENVOY};
use harness_artifacts::executable::{EnvoySelection, Identity, locate};
use harness_artifacts::image::{HARNESS_IMAGE, ImageRole};
use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::feature::Feature;
use harness_core::stack::assemble::AgentOverrides;
use harness_traffic::latency::plan::Arrivals;

/// Returns what is set up: what the options say, else what `conformance.yaml` does.
pub(super) fn setup_options(common: &CommonOptions) -> Result<SetupOptions, CliError> {
    let configured = common.project.configuration()?;
    let mut cluster = common.cluster.clone();
    for property in &common.a {
        if let Property::Image(image) = property {
            refuse_second("--agent-image", cluster.set_agent_image(image.clone()))?;
        }
    }
    if let Some(configured) = &configured {
        cluster = cluster.or_as_configured(&configured.content);
    }
    let place = cluster.place()?;
    let (executables, variables) = match &configured {
        Some(configured) => {
            refuse_what_has_no_effect(&configured.content, cluster.environment())?;
            let variables = configured.content.agent.env.iter();
            let variables = variables.map(|(name, value)| (name.clone(), value.value.clone()));
            let executables = executables_of_a(common)?.or_as_configured(&configured.content);
            (executables, variables.collect())
        }
        None => (executables_of_a(common)?, BTreeMap::new()),
    };
    let slow_down = configured
        .as_ref()
        .and_then(|configured| configured.content.slow_down);
    let slow_down = slow_down.map(|factor| factor.value);
    cluster.refuse_executables_beside_images(&executables)?;
    Ok(SetupOptions {
        place,
        envoy: executables.envoy,
        agent_binary: executables.agent_binary,
        app_binary: executables.app_binary,
        overrides: AgentOverrides { variables },
        output: common.output.clone(),
        // The null agent's.
        further_images: BTreeMap::from([(HARNESS_IMAGE.to_owned(), own_executable()?)]),
        slow_down: slow_down.unwrap_or_default(),
        ..SetupOptions::default()
    })
}

/// Refuses what a configuration file says of the agent and a benchmark cannot carry out.
fn refuse_what_has_no_effect(
    configured: &ConfigurationFile,
    environment: EnvironmentKind,
) -> Result<(), BenchError> {
    if environment == EnvironmentKind::Local
        && configured
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

/// Refuses an environment in which the self-check cannot stop the application, and removes what was made in it.
///
/// # Errors
///
/// When it is one.
pub(super) async fn require_faults(setup: &RunSetup) -> Result<(), BenchError> {
    let needed = Feature::ContainerFaults;
    if setup.features.contains(&needed) {
        return Ok(());
    }
    // The error that came first is the one to report.
    let _ = setup.environment.finish().await;
    Err(BenchError::NoFaults {
        why: setup.environment.why_not(needed),
    })
}

/// Returns the executables that take part: one whose image the user has named does not.
pub(super) fn subjects_that_run(setup: &RunSetup) -> BTreeMap<String, Identity> {
    let mut subjects = setup.subjects.clone();
    let named = setup
        .options
        .place
        .iter()
        .flat_map(|place| place.images.keys());
    for role in named {
        match role {
            ImageRole::Agent => subjects.remove(AGENT),
            ImageRole::Application => subjects.remove("application"),
            ImageRole::Proxy => subjects.remove(ENVOY),
            ImageRole::Driver => subjects.remove("harness"),
        };
    }
    subjects
}

/// Returns A: what the options name, which are the run's own.
///
/// # Errors
///
/// When a variable cannot be chosen, or two options name the same thing.
pub(super) fn baseline(
    common: &CommonOptions,
    config: Option<&str>,
    usual_config: &str,
) -> Result<Subject, CliError> {
    let mut a = Subject {
        variables: BTreeMap::new(),
        program: Program::OfRun,
        proxy: ProxyChoice {
            config: config.unwrap_or(usual_config).to_owned(),
            envoy: None,
        },
    };
    for property in &common.a {
        match property {
            // They are the run's own, as `setup_options` says.
            Property::Binary(_) | Property::Envoy(_) | Property::Image(_) => {}
            Property::Configuration(name) => {
                refuse_second("--envoy-config", config)?;
                a.proxy.config.clone_from(name);
            }
            Property::Variable(name, value) => set_variable(&mut a, name, value)?,
        }
    }
    Ok(a)
}

/// Returns the executables of a run: those of the options, with what `--a` names.
///
/// # Errors
///
/// When two options name the same thing.
pub(super) fn executables_of_a(common: &CommonOptions) -> Result<ExecutableOptions, CliError> {
    let mut executables = common.executables.clone();
    for property in &common.a {
        match property {
            Property::Binary(path) => {
                let named = executables.agent_binary.replace(path.clone());
                refuse_second("--agent-binary", named)?;
            }
            Property::Envoy(_) if common.cluster.names_envoy() => {
                return Err(CliError::IdleOption {
                    option: "--a envoy",
                    because: "`--envoy-image` names what runs",
                });
            }
            Property::Envoy(text) => {
                let named = executables.envoy.replace(text.clone());
                refuse_second("--envoy", named)?;
            }
            Property::Image(_) | Property::Configuration(_) | Property::Variable(..) => {}
        }
    }
    Ok(executables)
}

/// Returns B: what it has of its own, and else what A has. Notes the images of executables of its own.
///
/// # Errors
///
/// When an executable cannot be used, or a variable not be chosen.
pub(super) fn candidate(
    a: &Subject,
    properties: &[Property],
    options: &mut SetupOptions,
) -> Result<Subject, CliError> {
    const LOCAL: &[EnvironmentKind] = &[EnvironmentKind::Local];
    const CLUSTERS: &[EnvironmentKind] = &[
        EnvironmentKind::Existing,
        EnvironmentKind::K3d,
        EnvironmentKind::Kind,
    ];
    let environment = options.place.environment();
    let images = &mut options.further_images;
    let fitting = |option, fit: &'static [EnvironmentKind]| {
        if fit.contains(&environment) {
            return Ok(());
        }
        Err(CliError::UnfitOption {
            option,
            environment,
            fit,
        })
    };
    let mut b = a.clone();
    for property in properties {
        match property {
            Property::Image(image) => {
                fitting("--b image", CLUSTERS)?;
                b.program = Program::Image(image.clone());
            }
            Property::Binary(path) => {
                fitting("--b binary", LOCAL)?;
                let path = given_executable(path, "--b binary")?;
                images.insert(CANDIDATE_IMAGE.into(), path);
                b.program = Program::Image(CANDIDATE_IMAGE.into());
            }
            Property::Envoy(text) => {
                fitting("--b envoy", LOCAL)?;
                let selection = EnvoySelection::choose(Some(text), None);
                let selection = selection.map_err(SetupError::Executable)?;
                let envoy = locate(&selection, &mut |step| remark(step));
                let path = envoy.map_err(SetupError::Executable)?.path;
                images.insert(CANDIDATE_PROXY_IMAGE.into(), path.clone());
                b.proxy.envoy = Some(path);
            }
            Property::Configuration(name) => b.proxy.config.clone_from(name),
            Property::Variable(name, value) => set_variable(&mut b, name, value)?,
        }
    }
    Ok(b)
}

/// Refuses an option whose place `--a` has taken.
fn refuse_second<T>(option: &'static str, named: Option<T>) -> Result<(), CliError> {
    let because = "`--a` says the same, or says it twice";
    named.map_or(Ok(()), |_| Err(CliError::IdleOption { option, because }))
}

fn set_variable(subject: &mut Subject, name: &str, value: &str) -> Result<(), CliError> {
    if is_fixed(name) {
        let variable = name.to_owned();
        return Err(BenchError::FixedVariable { variable }.into());
    }
    subject.variables.insert(name.to_owned(), value.to_owned());
    Ok(())
}

impl From<ArrivalChoice> for Arrivals {
    fn from(choice: ArrivalChoice) -> Self {
        match choice {
            ArrivalChoice::Constant => Self::Constant,
            ArrivalChoice::Poisson => Self::Poisson,
        }
    }
}
