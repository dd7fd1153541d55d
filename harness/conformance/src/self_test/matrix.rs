//! The kill matrix: every mutant, and the finding that each of the scenarios that are named for it must have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::mutant_file::Change;
use harness_artifacts::image::ImageRole;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};

/// Scenarios that run with every mutant besides those that are named for it: one for each witness and each part of a pod's lifecycle. They show how
/// far a wrong agent reaches, and decide nothing.
pub const SENTINELS: [&str; 5] = ["A01", "A02-xss", "B01", "F01-closed", "L01"];

/// Every mutant of a project, by families.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// The families, by name.
    pub families: Vec<Family>,
}

/// The mutants of one file.
#[derive(Clone, Debug)]
pub struct Family {
    /// The file.
    pub source: Source,
    /// What its mutants have in common, in one sentence.
    pub summary: String,
    /// The mutants, as the file has them.
    pub mutants: Vec<Arc<Mutant>>,
}

/// A file and its text, for complaints about it.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, as messages show it.
    pub file: Utf8PathBuf,
    /// Its text.
    pub text: Arc<str>,
}

/// One agent or one deployment that is wrong in one way.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The name, as the command line takes it.
    pub name: String,
    /// What is wrong, in one sentence.
    pub fault: String,
    /// What makes it so.
    pub wrong: Wrong,
    /// The scenarios that must fail for it; each of them.
    pub kills: Vec<Kill>,
}

/// What is wrong with a mutant.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// The agent: `STUB_MUTANT` has this name.
    Agent(Located<String>),
    /// The deployment: this is written otherwise.
    Deployment(Vec<Change>),
    /// What runs: the image of this role is another than the one that was named.
    Image(ImageRole),
}

/// A scenario that must fail, and the finding that it must have: another failure is no kill.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kill {
    /// The scenario's id.
    pub scenario: String,
    /// The case; any where there is none.
    pub case: Option<String>,
    /// The kind of the finding.
    pub kind: FindingKind,
    /// What had to be seen; anything where it is not said.
    pub expected: Option<String>,
    /// What was seen; anything where it is not said.
    pub observed: Option<String>,
}

impl fmt::Display for Kill {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(case) = &self.case {
            write!(formatter, "{case}: ")?;
        }
        write!(formatter, "{}", self.kind)?;
        if let Some(expected) = &self.expected {
            write!(formatter, ": expected {expected}")?;
        }
        if let Some(observed) = &self.observed {
            let separator = if self.expected.is_some() { ", " } else { ": " };
            write!(formatter, "{separator}observed {observed}")?;
        }
        Ok(())
    }
}

impl Source {
    /// Makes a complaint about a place in the file.
    pub fn complaint(&self, position: Position, message: String, hint: String) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            text: self.text.clone(),
            position,
            message,
            label: String::new(),
            hint: Some(hint),
        }
    }
}

impl Matrix {
    /// Returns every mutant, family by family.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Mutant>> {
        self.families.iter().flat_map(|family| &family.mutants)
    }

    /// Returns the names of the mutants that each scenario is named for.
    pub fn mutants_by_scenario(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut by_scenario: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for mutant in self.all() {
            for kill in &mutant.kills {
                let names = by_scenario.entry(&kill.scenario).or_default();
                // A scenario may have to have several findings for one mutant.
                if names.last() != Some(&mutant.name.as_str()) {
                    names.push(&mutant.name);
                }
            }
        }
        by_scenario
    }
}

impl Mutant {
    /// Returns the ids of the scenarios that run with the mutant.
    pub fn scenarios(&self) -> BTreeSet<String> {
        let named = self.kills.iter().map(|kill| kill.scenario.clone());
        named.chain(SENTINELS.map(str::to_owned)).collect()
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::super::load::load_matrix;
    use super::*;
    use crate::catalogue::load::load_catalogue;
    use harness_core::model::project::Project;

    #[test]
    fn every_scenario_of_the_project_has_a_mutant() {
        let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let project = Project::at(root);
        let catalogue = load_catalogue(&project).expect("the project is valid");
        let matrix = load_matrix(&project, &catalogue.scenarios).expect("the mutants are valid");
        let named = matrix.mutants_by_scenario();
        for scenario in &catalogue.scenarios {
            let id = scenario.spec.id.as_str();
            assert!(
                named.contains_key(id),
                "no mutant shows that {id} can fail: name it under `killed-by` of a mutant in mutants/*.yaml, or add a mutant there; \
                 docs/writing-a-scenario.md has an example"
            );
        }
    }

    #[test]
    fn a_kill_is_described_by_what_it_asks_for() {
        let mut kill = Kill {
            scenario: "B01".into(),
            case: None,
            kind: FindingKind::Outcome,
            expected: None,
            observed: Some("allowed".into()),
        };
        assert_eq!(kill.to_string(), "outcome: observed allowed");
        kill.case = Some("form".into());
        kill.expected = Some("blocked-by-agent".into());
        assert_eq!(
            kill.to_string(),
            "form: outcome: expected blocked-by-agent, observed allowed"
        );
    }
}
