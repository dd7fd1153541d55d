//! Options that several subcommands share.

use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use super::completions;
use super::error::CliError;
use crate::catalogue::load::{Catalogue, load_catalogue};
use crate::catalogue::scenario::Scenario;
use crate::report::record::RunOptionsRecord;
use crate::run::selection::Selection;
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::EnvoySelection;
use harness_core::model::project::Project;

/// Where the project's files lie.
#[derive(Args, Clone, Debug)]
pub(super) struct ProjectOptions {
    /// The folder that holds `scenarios`, `fixtures` and `envoy-configs`.
    #[arg(long, value_name = "DIR", env = "CONFORMANCE_PROJECT")]
    project: Option<Utf8PathBuf>,

    /// A folder of proxy configurations to use in place of the project's `envoy-configs`.
    #[arg(long, value_name = "DIR")]
    envoy_configs: Option<Utf8PathBuf>,
}

impl ProjectOptions {
    /// Returns these options, and those of an earlier run where nothing else is said.
    pub(super) fn or_as_in(&self, earlier: &RunOptionsRecord) -> Self {
        let or = |chosen: &Option<Utf8PathBuf>, earlier: &Utf8PathBuf| {
            chosen.clone().or_else(|| Some(earlier.clone()))
        };
        Self {
            project: or(&self.project, &earlier.project),
            envoy_configs: or(&self.envoy_configs, &earlier.envoy_configs),
        }
    }

    /// Names the project's folders, by absolute paths.
    pub(super) fn project(&self) -> Result<Project, CliError> {
        let root = self.project.clone().unwrap_or_else(default_root);
        let root = camino::absolute_utf8(&root)?;
        let mut project = Project::at(&root);
        if let Some(folder) = &self.envoy_configs {
            project.envoy_configs = camino::absolute_utf8(folder)?;
        }
        if project.scenarios.is_dir() {
            Ok(project)
        } else {
            Err(CliError::NoProject { root })
        }
    }

    /// Reads the project's scenarios and payloads.
    pub(super) fn load(&self) -> Result<(Project, Catalogue), CliError> {
        let project = self.project()?;
        let catalogue = load_catalogue(&project)?;
        Ok((project, catalogue))
    }
}

/// Returns the nearest folder upwards that holds `scenarios`, else the checkout that the harness was built from.
fn default_root() -> Utf8PathBuf {
    let built_from = Utf8PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let built_from = built_from.canonicalize_utf8().unwrap_or(built_from);
    let here = std::env::current_dir()
        .ok()
        .and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    here.iter()
        .flat_map(|here| here.ancestors())
        .find(|folder| folder.join("scenarios").is_dir() && folder.join("envoy-configs").is_dir())
        .map_or(built_from, Into::into)
}

/// What runs in the pods.
#[derive(Args, Clone, Debug)]
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
pub(super) struct SelectionOptions {
    /// Parts of scenario names, or ids (`A02`, `A02-sqli`); all scenarios when none is given.
    #[arg(value_name = "FILTER", add = ArgValueCandidates::new(completions::scenarios))]
    filters: Vec<String>,

    /// Leave these out: a part of a name, or an id.
    #[arg(long, value_name = "FILTER", add = ArgValueCandidates::new(completions::scenarios))]
    exclude: Vec<String>,

    /// Only the scenarios of a profile, a file below `scenarios/profiles`: `quick` has one for each promise of the agent.
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(completions::profiles))]
    profile: Option<String>,
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
        };
        Ok(selection.apply(scenarios)?)
    }
}
