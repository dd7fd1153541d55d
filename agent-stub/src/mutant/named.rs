//! A mutant and its name.

use std::fmt::{self, Write as _};

use crate::inspect::{Location, SignalKind};
use crate::mutant::table::{
    Answer, Call, Detection, Files, Memory, Policy, Record, Report, Resource, Sight, Start, Stop,
};

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
    /// About what an answer says.
    Answer(Answer),
    /// About whether and when a check is answered.
    Call(Call),
    /// About what is made of the findings.
    Detection(Detection),
    /// About what is written where.
    Files(Files),
    /// It passes over a part of the request.
    IgnoresLocation(Location),
    /// It does not know a class of attacks.
    IgnoresSignal(SignalKind),
    /// About what is remembered of earlier requests.
    Memory(Memory),
    /// About what is done with signals.
    Policy(Policy),
    /// About what the data log says.
    Record(Record),
    /// About what becomes of response data.
    Report(Report),
    /// About what is used up.
    Resource(Resource),
    /// About what is inspected.
    Sight(Sight),
    /// About how it starts.
    Start(Start),
    /// About how it stops.
    Stop(Stop),
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
        signals
            .chain(LOCATIONS.into_iter().map(Self::IgnoresLocation))
            .chain(Sight::ALL.iter().copied().map(Self::Sight))
            .chain(Detection::ALL.iter().copied().map(Self::Detection))
            .chain(Memory::ALL.iter().copied().map(Self::Memory))
            .chain(Policy::ALL.iter().copied().map(Self::Policy))
            .chain(Answer::ALL.iter().copied().map(Self::Answer))
            .chain(Call::ALL.iter().copied().map(Self::Call))
            .chain(Report::ALL.iter().copied().map(Self::Report))
            .chain(Record::ALL.iter().copied().map(Self::Record))
            .chain(Start::ALL.iter().copied().map(Self::Start))
            .chain(Stop::ALL.iter().copied().map(Self::Stop))
            .chain(Files::ALL.iter().copied().map(Self::Files))
            .chain(Resource::ALL.iter().copied().map(Self::Resource))
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
            Self::Answer(answer) => answer.wrong().into(),
            Self::Call(call) => call.wrong().into(),
            Self::Detection(detection) => detection.wrong().into(),
            Self::Files(files) => files.wrong().into(),
            Self::IgnoresLocation(location) => {
                format!("finds nothing at the position {}", location.as_str())
            }
            Self::IgnoresSignal(kind) => format!("never raises {}", kind.as_str()),
            Self::Memory(memory) => memory.wrong().into(),
            Self::Policy(policy) => policy.wrong().into(),
            Self::Record(record) => record.wrong().into(),
            Self::Report(report) => report.wrong().into(),
            Self::Resource(resource) => resource.wrong().into(),
            Self::Sight(sight) => sight.wrong().into(),
            Self::Start(start) => start.wrong().into(),
            Self::Stop(stop) => stop.wrong().into(),
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lower = |name: &str| name.to_ascii_lowercase();
        match self {
            Self::Answer(answer) => formatter.write_str(answer.name()),
            Self::Call(call) => formatter.write_str(call.name()),
            Self::Detection(detection) => formatter.write_str(detection.name()),
            Self::Files(files) => formatter.write_str(files.name()),
            Self::IgnoresLocation(location) => {
                write!(formatter, "ignores-position-{}", lower(location.as_str()))
            }
            Self::IgnoresSignal(kind) => {
                write!(formatter, "ignores-signal-{}", lower(kind.as_str()))
            }
            Self::Memory(memory) => formatter.write_str(memory.name()),
            Self::Policy(policy) => formatter.write_str(policy.name()),
            Self::Record(record) => formatter.write_str(record.name()),
            Self::Report(report) => formatter.write_str(report.name()),
            Self::Resource(resource) => formatter.write_str(resource.name()),
            Self::Sight(sight) => formatter.write_str(sight.name()),
            Self::Start(start) => formatter.write_str(start.name()),
            Self::Stop(stop) => formatter.write_str(stop.name()),
        }
    }
}

/// Returns the list that `--mutants` prints: a line each, name and fault.
pub fn listing() -> String {
    Mutant::all().fold(String::new(), |mut text, mutant| {
        let _ = writeln!(text, "{:<44} {}", mutant.to_string(), mutant.describe());
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
    fn every_mutant_has_a_line_of_its_own_in_the_listing() {
        let listing = listing();
        let faults: BTreeSet<&str> = listing
            .lines()
            .filter_map(|line| line.split_once(' ').map(|(_, fault)| fault.trim()))
            .filter(|fault| !fault.is_empty())
            .collect();
        assert_eq!(faults.len(), Mutant::all().count());
    }

    #[test]
    fn the_listed_signals_are_attacks() {
        for kind in ATTACKS {
            assert_eq!(kind.class(), SignalClass::Attack, "{}", kind.as_str());
        }
    }
}
