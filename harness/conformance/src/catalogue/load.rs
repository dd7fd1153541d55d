//! Reads every scenario and profile of a project, and says where they are wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::profile::{Profile, load_profiles};
use super::scenario::Scenario;
use super::validate;
use crate::procedure::registry::{ScenarioFile, Section};
use harness_core::model::corpora::{Corpora, load_corpora};
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::parse::parse;
use harness_core::model::project::{LoadError, Project, entries, read_bounded, yaml_files};
use harness_core::model::scenario_name::ScenarioName;

/// Every scenario, payload and seed file of a project, read and checked.
#[derive(Debug)]
pub struct Catalogue {
    /// The scenarios, by name.
    pub scenarios: Vec<Scenario>,
    /// The profiles, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What scenarios draw requests from.
    pub corpora: Corpora,
}

/// Reads and checks every scenario, payload and seed file of the project.
pub fn load_catalogue(project: &Project) -> Result<Catalogue, LoadError> {
    let mut complaints = Vec::new();
    let corpora = load_corpora(project, &mut complaints)?;
    let mut scenarios = Vec::new();
    for path in scenario_files(project, &mut complaints)? {
        let text = read_bounded(project, &path, &mut complaints)?;
        scenarios.extend(scenario_of(
            project,
            &corpora,
            &path,
            &text,
            &mut complaints,
        ));
    }
    validate::unique(&scenarios, &mut complaints);
    scenarios.sort_by(|left, right| left.name.cmp(&right.name));
    // Where a scenario could not be read, a profile that names it would be blamed for it.
    let profiles = if complaints.is_empty() {
        load_profiles(project, &scenarios, &mut complaints)?
    } else {
        BTreeMap::new()
    };
    if complaints.is_empty() {
        Ok(Catalogue {
            scenarios,
            profiles,
            corpora,
        })
    } else {
        Err(LoadError::Invalid(complaints))
    }
}

/// Reads the scenario that `text` is, as it would stand in the file `path`; complaints say where it is none.
pub fn scenario_of(
    project: &Project,
    corpora: &Corpora,
    path: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<Scenario> {
    let file = project.shown(path);
    let filled_in = project.agent.fill_in(text);
    let written = text;
    let text = &filled_in;
    let spec = parse::<ScenarioFile>(&file, text, complaints)?;
    let context = validate::Context {
        corpora,
        file: &file,
        text,
    };
    let procedure = validate::scenario(&context, &spec, complaints)?;
    let group = path.parent().and_then(Utf8Path::file_name);
    Some(Scenario {
        name: ScenarioName::new(
            group.unwrap_or_default(),
            path.file_stem().unwrap_or_default(),
        ),
        sha256: fingerprint(written, &procedure, corpora),
        file,
        text: text.to_string(),
        spec,
        procedure,
    })
}

/// Hashes a scenario's text together with the payload and seed files that it uses.
fn fingerprint(text: &str, procedure: &Section, corpora: &Corpora) -> String {
    let mut hash = Sha256::new();
    hash.update(text);
    for drawn_from in procedure.draws_from(corpora) {
        hash.update(drawn_from);
    }
    hex::encode(hash.finalize())
}

/// Returns the files of scenarios: of the project's groups, and of the folders of further ones.
fn scenario_files(
    project: &Project,
    complaints: &mut Vec<Diagnostic>,
) -> Result<Vec<Utf8PathBuf>, LoadError> {
    let mut files = Vec::new();
    for root in std::iter::once(&project.scenarios).chain(&project.further_scenarios) {
        let groups = entries(root, |entry| {
            let is_hidden = entry.file_name().is_some_and(|name| name.starts_with('.'));
            entry.is_dir() && *entry != project.profiles && !is_hidden
        })?;
        let mut folders: Vec<&str> = groups
            .iter()
            .filter_map(|group| group.file_name())
            .collect();
        folders.extend(project.profiles.file_name());
        let beside_groups = yaml_files(project, root, &folders, complaints)?;
        if *root == project.scenarios {
            complaints.extend(
                beside_groups
                    .iter()
                    .map(|path| validate::without_a_group(project, path)),
            );
        } else {
            files.extend(beside_groups);
        }
        for group in groups {
            files.extend(yaml_files(project, &group, &[], complaints)?);
        }
    }
    Ok(files)
}
