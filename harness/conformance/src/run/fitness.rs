//! Checks, before anything is started, whether the files that scenarios deploy can be judged and carried out at all: all faults together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::place::Place;
use crate::catalogue::scenario::Scenario;
use harness_artifacts::image::ImageRole;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::located::{Located, Position};
use harness_core::model::project::{LoadError, Project, entries, read_bounded};
use harness_core::model::stack_settings::AgentPlace;
use harness_core::stack::agent_pods::AgentPods;
use harness_core::stack::manifest::Manifest;
use harness_core::stack::proxy_config::ProxyConfig;
use harness_environment::EnvironmentFault;
use harness_environment::local::template_refusals;

/// How many scenarios a message names.
const NAMED_SCENARIOS: usize = 3;

/// What a check of files found.
#[derive(Debug, Default)]
pub struct Fitness {
    /// How many proxy configurations were checked.
    pub configurations: usize,
    /// How many manifests were checked.
    pub manifests: usize,
    /// What is wrong with files, by file and place.
    pub faults: Vec<Diagnostic>,
    /// Files that a scenario deploys and that are not there.
    pub missing: Vec<Diagnostic>,
}

/// Checks each file that the scenarios deploy, once.
///
/// # Errors
///
/// When a file cannot be read.
pub fn examine<'a>(
    project: &Project,
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    place: &Place,
) -> Result<Fitness, LoadError> {
    let mut configurations = Users::new();
    let mut manifests = Users::new();
    for scenario in scenarios {
        let stack = &scenario.spec.stack;
        configurations
            .entry(&stack.envoy.value)
            .or_default()
            .push(scenario);
        manifests
            .entry(&stack.manifest.value)
            .or_default()
            .push(scenario);
    }
    let mut fitness = Fitness::default();
    for (name, users) in configurations {
        let file = project.envoy_configs.join(format!("{name}.yaml"));
        if !file.is_file() {
            let missing = missing(project, &file, &users, |user| &user.spec.stack.envoy);
            fitness.missing.push(missing);
            continue;
        }
        fitness.configurations += 1;
        let text = read_bounded(project, &file, &mut fitness.faults)?;
        let shown = project.shown(&file);
        ProxyConfig::parse(&shown, &text, &mut fitness.faults);
        fitness
            .faults
            .extend(agents_without_place(&shown, &text, &users));
    }
    for (name, users) in manifests {
        let file = project.manifests.join(format!("{name}.yaml"));
        if !file.is_file() {
            let missing = missing(project, &file, &users, |user| &user.spec.stack.manifest);
            fitness.missing.push(missing);
            continue;
        }
        fitness.manifests += 1;
        let text = read_bounded(project, &file, &mut fitness.faults)?;
        check_manifest(&project.shown(&file), &text, place, &mut fitness.faults);
    }
    Ok(fitness)
}

/// Checks each file that the scenarios deploy, and refuses all of it where anything is wrong or missing.
///
/// # Errors
///
/// With every fault of every file.
pub fn require<'a>(
    project: &Project,
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    place: &Place,
) -> Result<(), LoadError> {
    let Fitness {
        faults, missing, ..
    } = examine(project, scenarios, place)?;
    let all: Vec<Diagnostic> = missing.into_iter().chain(faults).collect();
    if all.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Invalid(all))
    }
}

/// The scenarios that deploy a file, by its name.
type Users<'a> = BTreeMap<&'a str, Vec<&'a Scenario>>;

/// Says at the first of its users that a file is not there, and which are.
fn missing(
    project: &Project,
    file: &Utf8Path,
    users: &[&Scenario],
    name_in: impl Fn(&Scenario) -> &Located<String>,
) -> Diagnostic {
    let ids: Vec<&str> = users.iter().map(|user| user.spec.id.as_str()).collect();
    let further = ids.len().saturating_sub(NAMED_SCENARIOS);
    let named = ids[..ids.len() - further].join(", ");
    let deployed_by = match further {
        0 => named,
        further => format!("{named} and {further} more"),
    };
    // The one whose file says so shows where.
    let shows = |user: &&&Scenario| name_in(user).position.line > 0;
    let first = users.iter().find(shows).or(users.first());
    let folder = file.parent().unwrap_or(file);
    Diagnostic {
        file: first.map_or_else(|| file.into(), |user| user.file.clone()),
        text: first.map_or_else(Arc::default, |user| user.text.as_str().into()),
        position: first.map_or_else(Position::default, |user| name_in(user).position),
        message: format!(
            "there is no {}; it is deployed by {deployed_by}",
            project.shown(file)
        ),
        label: String::new(),
        hint: Some(format!(
            "{} has {}; add the file, or select scenarios that deploy one of these",
            project.shown(folder),
            names_in(folder)
        )),
    }
}

fn names_in(folder: &Utf8Path) -> String {
    let is_yaml = |path: &Utf8Path| path.extension() == Some("yaml");
    let files: Vec<Utf8PathBuf> = entries(folder, is_yaml).unwrap_or_default();
    let mut names: Vec<&str> = files.iter().filter_map(|file| file.file_stem()).collect();
    // Files are sorted by their whole names, in which a hyphen comes before the dot.
    names.sort_unstable();
    if names.is_empty() {
        "no configuration".into()
    } else {
        names.join(", ")
    }
}

/// Complains of agents behind a Service whose addresses have no place in the proxy's configuration.
fn agents_without_place(file: &Utf8Path, text: &Arc<str>, users: &[&Scenario]) -> Vec<Diagnostic> {
    let replicas = users.iter().map(|user| {
        let stack = &user.spec.stack;
        match *stack.agent_place {
            AgentPlace::Main | AgentPlace::NativeSidecar => 0,
            AgentPlace::Service => stack.agent_replicas.as_ref().map_or(1, |count| **count),
        }
    });
    let most = u8::try_from(replicas.max().unwrap_or_default()).unwrap_or(u8::MAX);
    (0..most)
        .map(AgentPods::place_of)
        .filter(|place| !text.contains(place))
        .map(|place| Diagnostic {
            file: file.into(),
            text: text.clone(),
            position: Position::default(),
            message: format!("no endpoint has the address {place}, which stands for that of an agent behind a Service"),
            label: String::new(),
            hint: Some(format!("write `address: {place}` in the agent's cluster: the suite puts the real one in")),
        })
        .collect()
}

fn check_manifest(file: &Utf8Path, text: &Arc<str>, place: &Place, faults: &mut Vec<Diagnostic>) {
    let mut own = Vec::new();
    if let Some(manifest) = Manifest::parse(file, text, &mut own) {
        manifest.check(file, text, &mut own);
        match place {
            Place::Local => own.extend(refused_by_local(file, text, &manifest)),
            // What a cluster does not carry out, its API server refuses.
            Place::Kubernetes(_) => {}
        }
    }
    own.sort_by_key(|fault| fault.position);
    faults.extend(own);
}

/// Says where in a manifest what `local` does not carry out stands, and what to do.
fn refused_by_local(file: &Utf8Path, text: &Arc<str>, manifest: &Manifest) -> Vec<Diagnostic> {
    const ELSEWHERE: &str = "or run in a cluster: `--environment kind`";
    let images: BTreeSet<&str> = ImageRole::ALL
        .into_iter()
        .filter_map(ImageRole::manifest_image)
        .collect();
    let names: Vec<&str> = images.iter().copied().collect();
    let complaint = |refusal: EnvironmentFault| {
        let field = refusal.field();
        let hint = if let EnvironmentFault::ImageMissing { .. } = refusal {
            format!(
                "write one of {}, for which executables stand in here (`--agent-binary` and its like), {ELSEWHERE}",
                names.join(", ")
            )
        } else {
            format!("take it out of the manifest, {ELSEWHERE}")
        };
        Diagnostic {
            file: file.into(),
            text: text.clone(),
            position: field.map_or_else(Position::default, |field| manifest.place_of(field)),
            message: refusal.to_string(),
            label: String::new(),
            hint: Some(hint),
        }
    };
    let refusals = template_refusals(&manifest.pod, &images);
    refusals.into_iter().map(complaint).collect()
}

#[cfg(test)]
#[path = "fitness_tests.rs"]
mod tests;
