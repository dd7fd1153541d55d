//! The kill matrix: every mutant, and what each of the scenarios that are named for it must say.

use std::collections::{BTreeMap, BTreeSet};

use super::agents::AGENTS;
use super::deployments::DEPLOYMENTS;
use harness_artifacts::image::ImageRole;

/// Scenarios that run with every mutant besides those that are named for it: one for each witness and each part of a pod's life. How far a
/// wrong agent reaches is told by them, and decides nothing.
pub const SENTINELS: [&str; 5] = ["A01", "A02-xss", "B01", "F01-closed", "L01"];

/// One agent or one deployment that is wrong in one way.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The name, as the command line takes it.
    pub name: &'static str,
    /// What is wrong.
    pub wrong: Wrong,
    /// The scenarios that must fail for it; each of them.
    pub kills: &'static [Kill],
}

/// What is wrong with a mutant.
#[derive(Clone, Copy, Debug)]
pub enum Wrong {
    /// The agent: `STUB_MUTANT` has the mutant's name.
    Agent,
    /// The deployment.
    Deployment {
        /// What is wrong, in a few words.
        fault: &'static str,
        /// What is written otherwise; each must change something.
        edits: &'static [Edit],
    },
    /// What runs: the image of a role is another than the one that was named.
    Image {
        /// What is wrong, in a few words.
        fault: &'static str,
        /// Whose image it is.
        role: ImageRole,
    },
}

/// One thing that is written otherwise in the project's files.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// A folder or a file of the project.
    pub place: &'static str,
    /// What is replaced, as a regular expression over the whole of a file.
    pub pattern: &'static str,
    /// What stands there then; `$1` and so on are the pattern's groups.
    pub replacement: &'static str,
}

/// A scenario that must fail, and why.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    /// The scenario's id.
    pub scenario: &'static str,
    /// A part of what one of its findings must say: another failure is no kill.
    pub says: &'static str,
}

/// Names a scenario and what it must say.
pub(super) const fn by(scenario: &'static str, says: &'static str) -> Kill {
    Kill { scenario, says }
}

/// Returns every mutant: agents first, then deployments.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    AGENTS.iter().chain(DEPLOYMENTS.into_iter().flatten())
}

/// Returns the mutants that each scenario is named for.
pub fn mutants_by_scenario() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for mutant in all() {
        for kill in mutant.kills {
            named.entry(kill.scenario).or_default().push(mutant.name);
        }
    }
    named
}

/// Returns the ids of the scenarios that run with a mutant.
pub fn scenarios_for(mutant: &Mutant) -> BTreeSet<&'static str> {
    let named = mutant.kills.iter().map(|kill| kill.scenario);
    named.chain(SENTINELS).collect()
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use harness_core::model::finding_kind::FindingKind;

    use super::super::verdict::words_of;
    use super::*;
    use crate::catalogue::load::load_catalogue;
    use harness_core::model::finding::Finding;
    use harness_core::model::located::Position;
    use harness_core::model::project::Project;

    #[test]
    fn no_two_mutants_share_a_name_and_each_has_a_scenario_that_must_say_something() {
        let names: BTreeSet<&str> = all().map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all().count());
        for mutant in all() {
            assert!(!mutant.kills.is_empty(), "{}", mutant.name);
            for kill in mutant.kills {
                assert!(kill.says.len() > 3, "{}: {}", mutant.name, kill.scenario);
            }
        }
    }

    #[test]
    fn every_scenario_of_the_project_has_a_mutant() {
        let root = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let catalogue = load_catalogue(&Project::at(root)).expect("the project is valid");
        let named = mutants_by_scenario();
        for scenario in &catalogue.scenarios {
            let id = scenario.spec.id.as_str();
            assert!(named.contains_key(id), "nobody has seen {id} fail");
        }
    }

    #[test]
    fn no_kill_is_satisfied_by_words_that_every_finding_has() {
        let empty = words_of(&Finding::new(
            FindingKind::Outcome,
            Position::default(),
            "",
            "",
        ));
        for mutant in all() {
            for kill in mutant.kills {
                let says = kill.says;
                assert!(!empty.contains(says.trim()), "{}: {says}", mutant.name);
            }
        }
    }

    #[test]
    fn every_pattern_is_a_regular_expression() {
        for mutant in all() {
            if let Wrong::Deployment { edits, .. } = mutant.wrong {
                assert!(!edits.is_empty(), "{}", mutant.name);
                for edit in edits {
                    assert!(regex::Regex::new(edit.pattern).is_ok(), "{}", mutant.name);
                }
            }
        }
    }
}
