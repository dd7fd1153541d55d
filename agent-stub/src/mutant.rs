//! Deliberately wrong agents: each is wrong in exactly one way, so that a suite can show that it would notice.

use std::fmt::{self, Write as _};

use envoy_types::pb::envoy::service::auth::v3::CheckRequest;

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

/// The mutants that are wrong about the wire.
const WIRE: [Mutant; 9] = [
    Mutant::CreditsStrangers,
    Mutant::NeverHealthy,
    Mutant::IgnoresHeaderList,
    Mutant::IgnoresHeaderMap,
    Mutant::IgnoresRawBody,
    Mutant::IgnoresTextBody,
    Mutant::DiesOfChecksWithoutRequest,
    Mutant::WantsIdentifierInEachMessage,
    Mutant::RepeatsRequestIds,
];

/// One way in which an agent can be wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// It gives the response of an unknown request to one that waits for its own.
    CreditsStrangers,
    /// A check without an HTTP request ends the process.
    DiesOfChecksWithoutRequest,
    /// It does not read `header_map`.
    IgnoresHeaderList,
    /// It does not read `headers`.
    IgnoresHeaderMap,
    /// It passes over a part of the request.
    IgnoresLocation(Location),
    /// It does not read `raw_body`.
    IgnoresRawBody,
    /// It does not know a class of attacks.
    IgnoresSignal(SignalKind),
    /// It does not read `body`.
    IgnoresTextBody,
    /// Its health service says that nothing serves.
    NeverHealthy,
    /// All requests of a process have one id.
    RepeatsRequestIds,
    /// It ends an access-log stream whose later messages do not name the log again.
    WantsIdentifierInEachMessage,
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
            .chain(WIRE)
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
            Self::CreditsStrangers => {
                "gives the response of an unknown request to one that waits".into()
            }
            Self::NeverHealthy => "says of its services that they do not serve".into(),
            Self::DiesOfChecksWithoutRequest => "ends when a check has no HTTP request".into(),
            Self::IgnoresHeaderList => "does not read `header_map`".into(),
            Self::IgnoresHeaderMap => "does not read `headers`".into(),
            Self::IgnoresRawBody => "does not read `raw_body`".into(),
            Self::IgnoresTextBody => "does not read `body`".into(),
            Self::RepeatsRequestIds => "gives every request the same id".into(),
            Self::WantsIdentifierInEachMessage => {
                "ends an access-log stream whose later messages have no identifier".into()
            }
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
            Self::CreditsStrangers
            | Self::DiesOfChecksWithoutRequest
            | Self::IgnoresHeaderList
            | Self::IgnoresHeaderMap
            | Self::IgnoresRawBody
            | Self::IgnoresTextBody
            | Self::NeverHealthy
            | Self::RepeatsRequestIds
            | Self::WantsIdentifierInEachMessage => false,
        }
    }

    /// Takes out of a check what the mutant does not read.
    pub fn overlook(self, check: &mut CheckRequest) {
        let http = check
            .attributes
            .as_mut()
            .and_then(|attributes| attributes.request.as_mut())
            .and_then(|request| request.http.as_mut());
        let Some(http) = http else {
            return;
        };
        match self {
            Self::IgnoresHeaderList => http.header_map = None,
            Self::IgnoresHeaderMap => http.headers.clear(),
            Self::IgnoresRawBody => http.raw_body.clear(),
            Self::IgnoresTextBody => http.body.clear(),
            Self::CreditsStrangers
            | Self::DiesOfChecksWithoutRequest
            | Self::IgnoresLocation(_)
            | Self::IgnoresSignal(_)
            | Self::NeverHealthy
            | Self::RepeatsRequestIds
            | Self::WantsIdentifierInEachMessage => {}
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreditsStrangers => formatter.write_str("credits-strangers"),
            Self::NeverHealthy => formatter.write_str("never-healthy"),
            Self::DiesOfChecksWithoutRequest => {
                formatter.write_str("dies-of-checks-without-request")
            }
            Self::IgnoresHeaderList => formatter.write_str("ignores-header-list"),
            Self::IgnoresHeaderMap => formatter.write_str("ignores-header-map"),
            Self::IgnoresRawBody => formatter.write_str("ignores-raw-body"),
            Self::IgnoresTextBody => formatter.write_str("ignores-text-body"),
            Self::RepeatsRequestIds => formatter.write_str("repeats-request-ids"),
            Self::WantsIdentifierInEachMessage => {
                formatter.write_str("wants-identifier-in-each-message")
            }
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
