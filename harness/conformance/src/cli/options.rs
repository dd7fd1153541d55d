//! Options that several subcommands share.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap_complete::engine::ArgValueCandidates;

use super::completions;
use super::error::CliError;
use crate::catalogue::carried::carried_project;
use crate::catalogue::configuration::{self, Configuration, ConfigurationFile, load_configuration};
use crate::catalogue::load::{Catalogue, load_catalogue};
use crate::catalogue::scenario::Scenario;
use crate::report::record::RunOptionsRecord;
use crate::run::selection::{Selection, Shard};
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::EnvoySelection;
use harness_core::model::agent_description::AgentDescription;
use harness_core::model::feature::Feature;
use harness_core::model::level::Level;
use harness_core::model::project::Project;

/// Where the project's files lie.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Files")]
pub(super) struct ProjectOptions {
    /// The folder that holds `scenarios`, `fixtures` and `envoy-configs`. Default: the nearest one upwards, else what this
    /// executable carries.
    #[arg(long, value_name = "DIR", env = "CONFORMANCE_PROJECT")]
    project: Option<Utf8PathBuf>,

    /// A folder of proxy configurations to use in place of the project's `envoy-configs`.
    #[arg(long, value_name = "DIR")]
    envoy_configs: Option<Utf8PathBuf>,

    /// A folder of further scenarios, laid out like `scenarios` or without folders in it. May be given several times.
    #[arg(long, value_name = "DIR")]
    scenarios: Vec<Utf8PathBuf>,

    /// The description of the agent under test, like those in `agents/`: the status with which it denies, and what it lacks. Default: an agent as the
    /// vendor documents its own.
    #[arg(long, value_name = "FILE")]
    agent_profile: Option<Utf8PathBuf>,

    /// The file with the options of this project. Default: `conformance.yaml` in the working folder, if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<Utf8PathBuf>,
}

impl ProjectOptions {
    /// Reads the configuration file; none where there is none and none was named.
    ///
    /// # Errors
    ///
    /// When it is wrong, or a named one is not there.
    pub(super) fn configuration(&self) -> Result<Option<Configuration>, CliError> {
        let path = match &self.config {
            Some(path) => camino::absolute_utf8(path)?,
            None => camino::absolute_utf8(configuration::FILE_NAME)?,
        };
        match (&self.config, path.exists()) {
            (None, false) => Ok(None),
            (Some(_), false) => Err(CliError::NoFile {
                option: "--config",
                path,
            }),
            (_, true) => Ok(Some(load_configuration(&path)?)),
        }
    }

    /// Returns these options, and those of an earlier run where nothing else is said.
    pub(super) fn or_as_in(&self, earlier: &RunOptionsRecord) -> Self {
        Self {
            project: self.project.clone().or_else(|| earlier.project.clone()),
            envoy_configs: self
                .envoy_configs
                .clone()
                .or_else(|| earlier.envoy_configs.clone()),
            scenarios: if self.scenarios.is_empty() {
                earlier.scenarios.clone()
            } else {
                self.scenarios.clone()
            },
            agent_profile: self
                .agent_profile
                .clone()
                .or_else(|| earlier.agent_profile.clone()),
            config: self.config.clone(),
        }
    }

    /// Names the project's folders, by absolute paths.
    pub(super) fn project(&self) -> Result<Project, CliError> {
        let mut project = match &self.project {
            Some(root) => Project::at(&camino::absolute_utf8(root)?),
            None => project_here()?,
        };
        let configured = self
            .configuration()?
            .map(|configuration| configuration.content);
        let configured = configured.unwrap_or_default();
        let envoy_configs = self.envoy_configs.as_ref();
        if let Some(folder) = envoy_configs.or(configured.envoy_configs.as_ref()) {
            project.envoy_configs = existing_folder("--envoy-configs", folder)?;
        }
        for folder in self.scenarios.iter().chain(&configured.scenarios) {
            let folder = existing_folder("--scenarios", folder)?;
            // A replay names the folders of the earlier run, and the configuration may name them again.
            if !project.further_scenarios.contains(&folder) {
                project.further_scenarios.push(folder);
            }
        }
        if let Some(path) = &self.agent_profile {
            project.agent = AgentDescription::read(&camino::absolute_utf8(path)?)?;
        }
        if project.scenarios.is_dir() {
            Ok(project)
        } else {
            Err(CliError::NoProject { root: project.root })
        }
    }

    /// Reads the project's scenarios and payloads.
    pub(super) fn load(&self) -> Result<(Project, Catalogue), CliError> {
        let project = self.project()?;
        let catalogue = load_catalogue(&project)?;
        Ok((project, catalogue))
    }
}

/// Returns the project of the nearest folder upwards that is one, else the one that this executable carries.
fn project_here() -> Result<Project, CliError> {
    let here = camino::absolute_utf8(".")?;
    for folder in here.ancestors() {
        match (
            folder.join("scenarios").is_dir(),
            folder.join("envoy-configs").is_dir(),
        ) {
            (true, true) => return Ok(Project::at(folder)),
            // Scenarios right here are meant; those of another project in their place would be a surprise.
            (true, false) if folder == here => {
                return Err(CliError::PartOfProject {
                    folder: folder.into(),
                });
            }
            (true | false, _) => {}
        }
    }
    Ok(carried_project(&here)?)
}

fn existing_folder(option: &'static str, folder: &Utf8Path) -> Result<Utf8PathBuf, CliError> {
    let path = camino::absolute_utf8(folder)?;
    if path.is_dir() {
        Ok(path)
    } else {
        Err(CliError::NoFolder { option, path })
    }
}

/// What runs in the pods.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "What is judged")]
pub(super) struct ExecutableOptions {
    /// The Envoy: a path, or a version that is installed into the user's cache. Default: $ENVOY, else the pinned version.
    #[arg(long, value_name = "PATH|VERSION")]
    pub(super) envoy: Option<String>,

    /// The agent under test: any executable that reads the vendor's settings. Default: the reference stub.
    #[arg(long, value_name = "PATH")]
    pub(super) agent_binary: Option<Utf8PathBuf>,

    /// The application: any executable that writes helloworld's hit log. Default: helloworld.
    #[arg(long, value_name = "PATH")]
    pub(super) app_binary: Option<Utf8PathBuf>,
}

impl ExecutableOptions {
    /// Returns these options, and those of an earlier run where nothing else is said.
    pub(super) fn or_as_in(&self, earlier: &RunOptionsRecord) -> Self {
        let or = |chosen: &Option<Utf8PathBuf>, earlier: &Option<Utf8PathBuf>| {
            chosen.clone().or_else(|| earlier.clone())
        };
        Self {
            envoy: self.envoy.clone().or_else(|| earlier.envoy.clone()),
            agent_binary: or(&self.agent_binary, &earlier.agent_binary),
            app_binary: or(&self.app_binary, &earlier.app_binary),
        }
    }

    /// Returns these options, and those of the configuration where nothing else is said.
    pub(super) fn or_as_configured(&self, configured: &ConfigurationFile) -> Self {
        let binary = |own: &Option<Utf8PathBuf>, other: &Option<Utf8PathBuf>| {
            own.clone().or_else(|| other.clone())
        };
        Self {
            envoy: self.envoy.clone().or_else(|| configured.envoy.clone()),
            agent_binary: binary(&self.agent_binary, &configured.agent.binary),
            app_binary: binary(&self.app_binary, &configured.application.binary),
        }
    }

    /// Says which Envoy is meant.
    pub(super) fn envoy(&self) -> Result<EnvoySelection, SetupError> {
        let variable = std::env::var_os("ENVOY");
        Ok(EnvoySelection::choose(
            self.envoy.as_deref(),
            variable.as_deref(),
        )?)
    }
}

/// Which scenarios are meant.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which scenarios")]
pub(super) struct SelectionOptions {
    /// Parts of scenario names, or ids in any case (`A02`, `A02-sqli`); all scenarios when none is given.
    #[arg(value_name = "FILTER", add = ArgValueCandidates::new(completions::scenarios))]
    filters: Vec<String>,

    /// Leave these out: a part of a name, or an id.
    #[arg(long, value_name = "FILTER", add = ArgValueCandidates::new(completions::scenarios))]
    exclude: Vec<String>,

    /// Only the scenarios of a profile, a file below `scenarios/profiles`: `quick` has one for each promise of the agent.
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(completions::profiles))]
    profile: Option<String>,

    /// Only the scenarios of a group, the part of their names before `::`. May be given several times.
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,

    /// Only scenarios that need this of the environment or the agent. May be given several times: one of them is enough.
    #[arg(long, value_name = "FEATURE", value_parser = feature_parser(), hide_possible_values = true)]
    feature: Vec<Feature>,

    /// No scenarios that need this of the environment or the agent. May be given several times.
    #[arg(long, value_name = "FEATURE", value_parser = feature_parser(), hide_possible_values = true)]
    exclude_feature: Vec<Feature>,

    /// Only scenarios of this level.
    #[arg(long, value_name = "LEVEL", value_parser = level_parser())]
    level: Option<Level>,

    /// Only one of so many parts, as in `1/4`; `conformance report merge` makes one report of theirs.
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<Shard>,
}

fn feature_parser() -> impl TypedValueParser<Value = Feature> {
    let names = Feature::ALL.map(Feature::as_str);
    PossibleValuesParser::new(names).map(|name| {
        let mut features = Feature::ALL.into_iter();
        let feature = features.find(|feature| feature.as_str() == name);
        feature.expect("the parser takes the names of features alone")
    })
}

fn level_parser() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(["core", "extended"]).map(|name| match name.as_str() {
        "extended" => Level::Extended,
        _ => Level::Core,
    })
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    text.parse()
}

impl SelectionOptions {
    /// Picks the scenarios that are meant.
    ///
    /// # Errors
    ///
    /// When there is no such profile, or a filter matches nothing of it.
    pub(super) fn pick(&self, catalogue: Catalogue) -> Result<Vec<Arc<Scenario>>, CliError> {
        let Catalogue {
            mut scenarios,
            profiles,
            ..
        } = catalogue;
        if let Some(name) = &self.profile {
            let profile = profiles.get(name).ok_or_else(|| CliError::NoProfile {
                name: name.clone(),
                known: profiles.keys().cloned().collect(),
            })?;
            scenarios.retain(|scenario| profile.ids.contains(scenario.spec.id.as_str()));
        }
        let selection = Selection {
            wanted: self.filters.clone(),
            excluded: self.exclude.clone(),
            groups: self.group.clone(),
            features: self.feature.clone(),
            excluded_features: self.exclude_feature.clone(),
            level: self.level,
            shard: self.shard,
        };
        Ok(selection.apply(scenarios)?)
    }
}
