//! What became of the canaries by which enforcement is seen, and the finding of an agent that did not deny them.

use std::fmt;

use crate::witness::collected::CollectedRecords;
use crate::witness::proxy::{DETAILS_DENIED, DETAILS_UPSTREAM, ProxyRecord};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_core::model::timespan::TimeSpan;
use harness_traffic::record::{ClientRecord, ClientResult};

/// By what it is seen that the agent's rules apply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignOfRules {
    /// It denies an attack, by the proxy's record.
    Denied,
    /// It raises signals for an attack, by its own record: in a mode that does not block there is no other sign.
    Tagged,
}

impl SignOfRules {
    /// Returns the sign in a word, as it follows "attacks are".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Tagged => "tagged",
        }
    }

    /// Says whether a request shows the sign; none where it is not recorded yet.
    pub fn shown_by(self, id: &str, collected: &CollectedRecords) -> Option<bool> {
        match self {
            Self::Denied => {
                let record = collected.proxy.of(id).into_iter().next();
                record.map(|record| record.details == DETAILS_DENIED)
            }
            Self::Tagged => {
                let record = collected.agent.of(id).into_iter().next();
                record.map(|record| !record.signals.is_empty())
            }
        }
    }
}

/// What became of attacks of the plainest kind that were sent until the agent would deny them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Canaries {
    /// How many were sent.
    pub sent: usize,
    /// By what the agent's rules were to be seen.
    pub sign: SignOfRules,
    /// How many showed it.
    pub showed_it: usize,
    /// What the last one came to.
    pub last: LastCanary,
    /// How the last one was answered, in a few words.
    pub last_answer: String,
    /// The time that the agent had.
    pub within: TimeSpan,
}

/// What the last canary came to, as far as it says what is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LastCanary {
    /// The agent was asked and let it pass: its rules do not apply.
    AllowedByAgent,
    /// Anything else: the agent was not asked, could not answer, or nothing is known of it.
    Otherwise,
}

impl Canaries {
    /// Counts canaries of a client by what the proxy has recorded of them.
    pub fn of(
        records: &[ClientRecord],
        collected: &CollectedRecords,
        sign: SignOfRules,
        within: TimeSpan,
    ) -> Self {
        let recorded = |record: &ClientRecord| collected.proxy.of(&record.id).into_iter().next();
        let shows = |record: &&ClientRecord| sign.shown_by(&record.id, collected) == Some(true);
        let last = records.last();
        let last_recorded = last.and_then(recorded);
        Self {
            sent: records.len(),
            sign,
            showed_it: records.iter().filter(shows).count(),
            last: match &last_recorded {
                Some(record) if is_allowed_by_agent(record) => LastCanary::AllowedByAgent,
                Some(_) | None => LastCanary::Otherwise,
            },
            last_answer: match (last_recorded, last) {
                (Some(record), _) => describe(&record),
                (None, Some(record)) => describe_client(record),
                (None, None) => "none was answered".into(),
            },
            within,
        }
    }
}

/// In a few words: how many of how many were denied, within which time, and how the last one was answered.
impl fmt::Display for Canaries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sent,
            sign,
            showed_it,
            last_answer,
            within,
            ..
        } = self;
        let sign = sign.as_str();
        write!(
            formatter,
            "{showed_it} of {sent} {sign} within {within}; {last_answer}"
        )
    }
}

/// Makes the finding of an agent that was not seen to enforce in time.
pub fn not_enforcing(position: Position, canaries: &Canaries) -> Finding {
    let sign = canaries.sign.as_str();
    Finding::new(
        FindingKind::NotEnforcing,
        position,
        format!("plain attacks are {sign} within {}", canaries.within),
        format!("{}; {}", how_many(canaries), canaries.last_answer),
    )
    .note(format!(
        "{} of {} were {sign}",
        canaries.showed_it, canaries.sent
    ))
}

/// Says how many were without the number of all, which differs from pod to pod: what has one cause is grouped by its text.
const fn how_many(canaries: &Canaries) -> &'static str {
    if canaries.showed_it == 0 {
        "none was"
    } else {
        "not enough in a row were"
    }
}

fn is_allowed_by_agent(record: &ProxyRecord) -> bool {
    record.details == DETAILS_UPSTREAM
        && record.authorization_microseconds.is_some()
        && !record.failure_mode_allowed
}

fn describe(record: &ProxyRecord) -> String {
    let asked = match (
        record.authorization_microseconds,
        record.failure_mode_allowed,
    ) {
        (None, false) => ", the agent was not asked",
        (Some(_), false) => "",
        (_, true) => ", let through because the agent failed",
    };
    format!(
        "last answered {}, details {}{asked}",
        record.status, record.details
    )
}

fn describe_client(record: &ClientRecord) -> String {
    match &record.result {
        ClientResult::Response(response) => {
            format!("last answered {}, not in the proxy's log", response.status)
        }
        ClientResult::Failed(failure) => {
            format!(
                "the last one failed: {:?} during {:?}",
                failure.cause, failure.phase
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::witness::fixture::{client, proxy};

    fn canaries(details: &str, asked: Option<u64>) -> Canaries {
        let record = ProxyRecord {
            details: details.into(),
            status: 200,
            authorization_microseconds: asked,
            ..proxy()
        };
        Canaries {
            sent: 412,
            sign: SignOfRules::Denied,
            showed_it: 0,
            last: if is_allowed_by_agent(&record) {
                LastCanary::AllowedByAgent
            } else {
                LastCanary::Otherwise
            },
            last_answer: describe(&record),
            within: TimeSpan::new(Duration::from_mins(1)),
        }
    }

    #[test]
    fn an_agent_that_was_asked_and_let_every_attack_pass_is_not_enforcing_by_that_name() {
        let canaries = canaries(DETAILS_UPSTREAM, Some(900));
        assert_eq!(canaries.last, LastCanary::AllowedByAgent);
        let finding = not_enforcing(Position::default(), &canaries);
        assert_eq!(
            finding.to_string(),
            "not-enforcing: expected plain attacks are denied within 1m, observed none was; last answered 200, details via_upstream"
        );
        assert_eq!(finding.notes, ["0 of 412 were denied"]);
    }

    #[test]
    fn an_agent_that_was_not_asked_has_not_let_anything_pass() {
        let canaries = canaries(DETAILS_UPSTREAM, None);
        assert_eq!(canaries.last, LastCanary::Otherwise);
        assert!(
            canaries.to_string().ends_with("the agent was not asked"),
            "{canaries}"
        );
    }

    #[test]
    fn a_canary_that_the_proxy_has_no_record_of_is_described_by_the_client() {
        let collected = CollectedRecords::default();
        let within = TimeSpan::new(Duration::from_secs(1));
        let canaries = Canaries::of(&[client()], &collected, SignOfRules::Denied, within);
        assert_eq!((canaries.sent, canaries.showed_it), (1, 0));
        assert!(
            canaries.last_answer.ends_with("not in the proxy's log"),
            "{canaries}"
        );
    }
}
