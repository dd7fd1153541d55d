//! Asks an agent which mutants it can be: one that no entry is for is never run, and one that it does not have cannot be.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;

use super::load::suggestion;
use super::matrix::{Matrix, Wrong};
use harness_artifacts::executable::bounded_command::{Bounds, Group, Kept, run_bounded};
use harness_core::model::causes::chain;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::model::project::LoadError;

/// The option that lists them, a line each that begins with the name.
const OPTION: &str = "--mutants";

/// How long the list may take, and how long it may be.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(10),
    output: 256 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

/// Why it is not known which mutants there are.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The agent does not answer.
    #[error("cannot ask the agent for its mutants: {reason}")]
    NoAnswer {
        /// What happened instead.
        reason: String,
    },
    /// It does not list any.
    #[error("the agent lists no mutants: it is not the reference stub")]
    NotTheStub,
    /// Entries name mutants that it does not have.
    #[error(transparent)]
    Unknown(LoadError),
}

/// Returns the mutants of an agent that no entry of the matrix is for.
///
/// # Errors
///
/// The agent lists no mutants, or not one that an entry names.
pub fn without_an_entry(agent: &Utf8Path, matrix: &Matrix) -> Result<Vec<String>, ListingError> {
    let finished = run_bounded(Command::new(agent).arg(OPTION), BOUNDS).map_err(|error| {
        ListingError::NoAnswer {
            reason: chain(&error).join(": "),
        }
    })?;
    let listed = names_in(&finished.stdout);
    if !finished.status.success() || listed.is_empty() {
        return Err(ListingError::NotTheStub);
    }
    compare(&listed, matrix)
}

fn compare(listed: &BTreeSet<String>, matrix: &Matrix) -> Result<Vec<String>, ListingError> {
    let known: Vec<&str> = listed.iter().map(String::as_str).collect();
    let mut named = BTreeSet::new();
    let mut complaints: Vec<Diagnostic> = Vec::new();
    for family in &matrix.families {
        for mutant in &family.mutants {
            let Wrong::Agent(name) = &mutant.wrong else {
                continue;
            };
            if !listed.contains(&name.value) {
                complaints.push(family.source.complaint(
                    name.position,
                    format!("the agent has no mutant `{}`", name.value),
                    suggestion(name, &known, "`agent-stub --mutants` lists them"),
                ));
            }
            named.insert(name.value.clone());
        }
    }
    if complaints.is_empty() {
        Ok(listed.difference(&named).cloned().collect())
    } else {
        Err(ListingError::Unknown(LoadError::Invalid(complaints)))
    }
}

fn names_in(listing: &str) -> BTreeSet<String> {
    listing
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::matrix::{Family, Mutant, Source};
    use super::*;
    use harness_core::model::located::{Located, Position};

    fn matrix(agent: &str) -> Matrix {
        let agent = Located {
            value: agent.to_owned(),
            position: Position {
                line: 4,
                column: 12,
                length: 1,
            },
        };
        let mutant = Mutant {
            name: "m".into(),
            fault: "it is wrong".into(),
            wrong: Wrong::Agent(agent),
            kills: Vec::new(),
        };
        Matrix {
            families: vec![Family {
                source: Source {
                    file: "mutants/agent-sight.yaml".into(),
                    text: "".into(),
                },
                summary: "s".into(),
                mutants: vec![Arc::new(mutant)],
            }],
        }
    }

    #[test]
    fn the_first_word_of_each_line_is_a_name() {
        let names = names_in("ignores-body   reads no body\n\nleaks-memory   keeps it all\n");
        let expected = BTreeSet::from(["ignores-body".to_owned(), "leaks-memory".to_owned()]);
        assert_eq!(names, expected);
    }

    #[test]
    fn a_program_that_lists_nothing_is_not_the_stub() {
        let outcome = without_an_entry(Utf8Path::new("/bin/true"), &matrix("ignores-body"));
        assert!(matches!(outcome, Err(ListingError::NotTheStub)));
    }

    #[test]
    fn a_mutant_of_the_agent_that_no_entry_is_for_is_returned() {
        let listed = names_in("ignores-body\nleaks-memory\n");
        let outcome = compare(&listed, &matrix("ignores-body")).expect("all are known");
        assert_eq!(outcome, ["leaks-memory"]);
    }

    #[test]
    fn an_entry_for_a_mutant_that_the_agent_does_not_have_is_refused_at_its_place() {
        let outcome = compare(&names_in("ignores-body\n"), &matrix("ignores-bodies"));
        let Err(ListingError::Unknown(LoadError::Invalid(complaints))) = outcome else {
            panic!("{outcome:?}");
        };
        let drawn = complaints[0].to_string();
        assert!(
            drawn.starts_with("mutants/agent-sight.yaml:4:12: the agent has no mutant"),
            "{drawn}"
        );
        let hint = complaints[0].hint.as_deref();
        assert_eq!(hint, Some("did you mean `ignores-body`?"));
    }
}
