//! Asks an agent which mutants it can be: one that the matrix does not know is never run.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;

use super::matrix::{Wrong, all};
use harness_artifacts::executable::bounded_command::{Bounds, Group, Kept, run_bounded};
use harness_core::model::causes::chain;

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
}

/// Returns the mutants of an agent that have no row in the matrix, and the rows whose mutant the agent does not have.
pub fn without_a_row(agent: &Utf8Path) -> Result<Vec<String>, ListingError> {
    let finished = run_bounded(Command::new(agent).arg(OPTION), BOUNDS).map_err(|error| {
        ListingError::NoAnswer {
            reason: chain(&error).join(": "),
        }
    })?;
    let listed = names_in(&finished.stdout);
    if !finished.status.success() || listed.is_empty() {
        return Err(ListingError::NotTheStub);
    }
    let rows: BTreeSet<String> = all()
        .filter(|mutant| matches!(mutant.wrong, Wrong::Agent))
        .map(|mutant| mutant.name.to_owned())
        .collect();
    Ok(listed.symmetric_difference(&rows).cloned().collect())
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
    use super::*;

    #[test]
    fn the_first_word_of_each_line_is_a_name() {
        let names = names_in("ignores-body   reads no body\n\nleaks-memory   keeps it all\n");
        let expected = BTreeSet::from(["ignores-body".to_owned(), "leaks-memory".to_owned()]);
        assert_eq!(names, expected);
    }

    #[test]
    fn a_program_that_lists_nothing_is_not_the_stub() {
        let outcome = without_a_row(Utf8Path::new("/bin/true"));
        assert!(matches!(outcome, Err(ListingError::NotTheStub)));
    }
}
