//! Reads the files below `mutants/`, and says where they are wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8Path;

use super::documents::Documents;
use super::matrix::{Family, Kill, Matrix, Mutant, Source, Wrong};
use super::mutant_file::{KillEntry, MutantEntry, MutantFile};
use crate::catalogue::scenario::Scenario;
use harness_core::model::complaints::Complaints;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::parse::parse;
use harness_core::model::project::{LoadError, Project, read_bounded, yaml_files};

/// How similar a name must be to be suggested.
const SIMILAR: f64 = 0.75;

/// Reads and checks the mutants of a project.
///
/// # Errors
///
/// A file cannot be read, or says what does not fit the project: each complaint has its place.
pub fn load_matrix(project: &Project, scenarios: &[Scenario]) -> Result<Matrix, LoadError> {
    let ids: Vec<&str> = scenarios
        .iter()
        .map(|scenario| scenario.spec.id.as_str())
        .collect();
    let mut checks = Checks {
        ids,
        documents: Documents::of(project),
        names: BTreeSet::new(),
    };
    let mut complaints = Vec::new();
    let mut matrix = Matrix::default();
    for path in yaml_files(project, &project.mutants, &[], &mut complaints)? {
        let text = read_bounded(project, &path, &mut complaints)?;
        let file = project.shown(&path);
        if let Some(content) = parse::<MutantFile>(&file, &text, &mut complaints) {
            let family = checks.family(&file, &text, content, &mut complaints);
            matrix.families.push(family);
        }
    }
    if complaints.is_empty() {
        Ok(matrix)
    } else {
        Err(LoadError::Invalid(complaints))
    }
}

/// What the mutants of a project are checked against.
struct Checks<'a> {
    ids: Vec<&'a str>,
    documents: Documents<'a>,
    names: BTreeSet<String>,
}

impl Checks<'_> {
    fn family(
        &mut self,
        file: &Utf8Path,
        text: &Arc<str>,
        content: MutantFile,
        complaints: &mut Vec<Diagnostic>,
    ) -> Family {
        let mut complaints = Complaints {
            file,
            text,
            list: complaints,
        };
        let mutants = content
            .mutants
            .into_iter()
            .filter_map(|entry| self.mutant(entry, &mut complaints))
            .map(Arc::new)
            .collect();
        Family {
            source: Source {
                file: file.into(),
                text: text.clone(),
            },
            summary: content.summary,
            mutants,
        }
    }

    fn mutant(&mut self, entry: MutantEntry, complaints: &mut Complaints<'_>) -> Option<Mutant> {
        let position = entry.name.position;
        // The name is a folder's too.
        let is_plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
        };
        if entry.name.is_empty() || !entry.name.chars().all(is_plain) {
            complaints.add(
                position,
                format!("`{}` is not a mutant's name", *entry.name),
                "lower-case letters, digits and hyphens",
            );
        }
        if !self.names.insert(entry.name.value.clone()) {
            complaints.add(
                position,
                format!("two mutants have the name `{}`", *entry.name),
                "give one of them another name",
            );
        }
        if entry.wrong.trim().is_empty() || entry.wrong.contains('\n') {
            complaints.add(
                entry.wrong.position,
                "`wrong` is not one sentence on one line",
                "say what is wrong with the agent or the deployment",
            );
        }
        if entry.killed_by.is_empty() {
            complaints.add(
                position,
                format!("no scenario is named for `{}`", *entry.name),
                "add `killed-by:` with a scenario and the kind of its finding",
            );
        }
        let kills = entry
            .killed_by
            .iter()
            .filter_map(|kill| self.kill(kill, complaints))
            .collect();
        let wrong = self.wrong(&entry, complaints)?;
        Some(Mutant {
            name: entry.name.value,
            fault: entry.wrong.value,
            wrong,
            kills,
        })
    }

    fn kill(&self, entry: &KillEntry, complaints: &mut Complaints<'_>) -> Option<Kill> {
        if !self.ids.contains(&entry.scenario.as_str()) {
            complaints.add(
                entry.scenario.position,
                format!("no scenario has the id `{}`", *entry.scenario),
                suggestion(
                    &entry.scenario,
                    &self.ids,
                    "`conformance list` shows the ids",
                ),
            );
        }
        let kind = entry.kind.parse::<FindingKind>().ok();
        if kind.is_none() {
            let known: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
            complaints.add(
                entry.kind.position,
                format!("no finding is of the kind `{}`", *entry.kind),
                suggestion(&entry.kind, &known, "docs/findings.md lists the kinds"),
            );
        }
        Some(Kill {
            scenario: entry.scenario.value.clone(),
            case: entry.case.clone(),
            kind: kind?,
            expected: entry.expected.clone(),
            observed: entry.observed.clone(),
        })
    }

    fn wrong(&mut self, entry: &MutantEntry, complaints: &mut Complaints<'_>) -> Option<Wrong> {
        match (&entry.agent, &entry.image, &entry.changes) {
            (Some(agent), None, None) => Some(Wrong::Agent(agent.clone())),
            (None, Some(image), None) => Some(Wrong::Image(image.value)),
            (None, None, Some(changes)) => {
                if changes.is_empty() {
                    complaints.add(
                        changes.position,
                        "`changes` is empty: the deployment is not wrong",
                        "add a change with `in:`, `at:` and `do:`",
                    );
                }
                for change in changes.iter().filter(|change| change.files.is_empty()) {
                    complaints.add(
                        change.at.position,
                        "the change is made in no file",
                        "name a file or a folder: `in: [envoy-configs]`",
                    );
                }
                if let Err(error) = self.documents.changed(changes) {
                    complaints.add(error.position(), error.to_string(), error.hint());
                }
                Some(Wrong::Deployment(changes.value.clone()))
            }
            _ => {
                complaints.add(
                    entry.name.position,
                    format!(
                        "`{}` does not have exactly one of `agent`, `image` and `changes`",
                        *entry.name
                    ),
                    "a mutant is wrong in one way",
                );
                None
            }
        }
    }
}

/// Returns a hint with the name that is most like the one that is not known, where one is.
pub(super) fn suggestion(unknown: &str, known: &[&str], otherwise: &str) -> String {
    let similarity = |name: &&&str| strsim::jaro_winkler(unknown, name);
    let nearest = known
        .iter()
        .max_by(|left, right| similarity(left).total_cmp(&similarity(right)))
        .filter(|name| similarity(name) > SIMILAR);
    match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => otherwise.into(),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
