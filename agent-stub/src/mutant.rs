//! Deliberately wrong agents: each is wrong in exactly one way, so that a suite can show that it would notice.

use std::fmt::{self, Write as _};

use crate::inspect::{Location, Signal, SignalKind};

/// The attack signals; a mutant leaves one of them out.
const ATTACKS: [SignalKind; 11] = [
    SignalKind::AwsSsrf,
    SignalKind::Backdoor,
    SignalKind::CodeInjection,
    SignalKind::CommandExecution,
    SignalKind::CrossSiteScripting,
    SignalKind::Log4jJndi,
    SignalKind::NullByte,
    SignalKind::SqlInjection,
    SignalKind::Traversal,
    SignalKind::UserAgent,
    SignalKind::Xxe,
];

/// The parts of a request that are inspected; a mutant passes over one of them.
const LOCATIONS: [Location; 10] = [
    Location::Cookie,
    Location::Form,
    Location::GraphQl,
    Location::Grpc,
    Location::Header,
    Location::Json,
    Location::Path,
    Location::PostBody,
    Location::QueryString,
    Location::Xml,
];

/// One way in which an agent can be wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// It passes over a part of the request.
    IgnoresLocation(Location),
    /// It does not know a class of attacks.
    IgnoresSignal(SignalKind),
}

/// There is no mutant of that name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no mutant `{name}`; `--mutants` lists them")]
pub struct UnknownMutant {
    /// The name.
    pub name: String,
}

impl Mutant {
    /// Returns all mutants, in the order in which they are listed.
    pub fn all() -> impl Iterator<Item = Self> {
        let signals = ATTACKS.into_iter().map(Self::IgnoresSignal);
        signals.chain(LOCATIONS.into_iter().map(Self::IgnoresLocation))
    }

    /// Finds a mutant by its name.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn named(name: &str) -> Result<Self, UnknownMutant> {
        Self::all()
            .find(|mutant| mutant.to_string() == name)
            .ok_or_else(|| UnknownMutant { name: name.into() })
    }

    /// Says in one line what is wrong.
    pub fn describe(self) -> String {
        match self {
            Self::IgnoresLocation(location) => {
                format!("finds nothing at the position {}", location.as_str())
            }
            Self::IgnoresSignal(kind) => format!("never raises {}", kind.as_str()),
        }
    }

    /// Tells whether the mutant misses a finding.
    pub fn misses(self, signal: &Signal) -> bool {
        match self {
            Self::IgnoresLocation(location) => signal.location == location,
            Self::IgnoresSignal(kind) => signal.kind == kind,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IgnoresLocation(location) => {
                let name = location.as_str().to_ascii_lowercase();
                write!(formatter, "ignores-position-{name}")
            }
            Self::IgnoresSignal(kind) => {
                let name = kind.as_str().to_ascii_lowercase();
                write!(formatter, "ignores-signal-{name}")
            }
        }
    }
}

/// Returns the list that `--mutants` prints: a line each, name and fault.
pub fn listing() -> String {
    Mutant::all().fold(String::new(), |mut text, mutant| {
        let _ = writeln!(text, "{:<32} {}", mutant.to_string(), mutant.describe());
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::inspect::SignalClass;

    #[test]
    fn every_mutant_is_found_by_its_name_and_no_two_share_one() {
        let names: BTreeSet<String> = Mutant::all().map(|mutant| mutant.to_string()).collect();
        assert_eq!(names.len(), Mutant::all().count());
        for mutant in Mutant::all() {
            assert_eq!(Mutant::named(&mutant.to_string()), Ok(mutant));
        }
        assert!(Mutant::named("ignores-everything").is_err());
    }

    #[test]
    fn the_listed_signals_are_attacks() {
        for kind in ATTACKS {
            assert_eq!(kind.class(), SignalClass::Attack, "{}", kind.as_str());
        }
    }

    #[test]
    fn a_mutant_misses_what_it_is_named_for_and_nothing_else() {
        let signal = Signal {
            kind: SignalKind::SqlInjection,
            location: Location::Form,
            name: String::new(),
            value: String::new(),
            detector: String::new(),
        };
        let missed: Vec<String> = Mutant::all()
            .filter(|mutant| mutant.misses(&signal))
            .map(|mutant| mutant.to_string())
            .collect();
        assert_eq!(missed, ["ignores-signal-sqli", "ignores-position-form"]);
    }
}
