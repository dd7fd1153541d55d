//! Keeps the account of clients that keep their connections through a drain: who was asked to leave, who was turned away, and who was cut.
//!
//! The clients come through the pod's Service. A pod that is being deleted gets no new connections from it once its nodes know, so a client whose
//! connection ends is turned away: with more pods another one would have taken it. That is no loss; a request that was sent and never
//! answered is one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::due::deletion_asked_at;
use crate::judge::lifecycle::earliest_term;
use crate::witness::join::Joined;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::TimelineEvent;
use harness_core::stack::PROXY_CONTAINER;
use harness_traffic::record::{
    ClientFailure, ClientResult, ConnectionAge, FailureCause, RequestPhase,
};

/// A client that had a connection to lose at TERM may be this much behind its schedule.
const LATE_ATTEMPT: SignedDuration = SignedDuration::from_millis(150);

/// What became of a client's request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It was inspected and answered.
    Answered,
    /// It was sent on a connection and not answered.
    Cut(Phase),
    /// It had some other outcome.
    Odd(Phase),
    /// The Service had no pod for its connection.
    TurnedAway(Phase),
}

impl Fate {
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Answered => "it was answered:",
            Self::Cut(Phase::BeforeDeletion) => "it was cut before the deletion:",
            Self::Cut(Phase::Draining) => "it was cut between the deletion and the proxy's TERM:",
            Self::Cut(Phase::AfterTerm) => "it was cut after the proxy's TERM:",
            Self::Odd(_) => "its outcome was",
            Self::TurnedAway(_) => "it was turned away:",
        }
    }
}

/// The parts of a pod's end, as a client sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    BeforeDeletion,
    Draining,
    AfterTerm,
}

/// The clients' losses, by the phase in which they happened.
#[derive(Debug, Default)]
pub(super) struct Account {
    deleted: Option<Timestamp>,
    term: Option<Timestamp>,
    pub(super) answered: usize,
    pub(super) cut: [usize; 3],
    pub(super) turned_away: usize,
    pub(super) told_by_header: usize,
    /// Each client's first connection, as the proxy numbers them.
    connections: BTreeMap<String, u64>,
    pub(super) left_before_term: BTreeSet<String>,
    pub(super) without_response_data: usize,
}

impl Account {
    pub(super) fn new(timeline: &[TimelineEvent]) -> Self {
        Self {
            deleted: deletion_asked_at(timeline),
            term: earliest_term(timeline, PROXY_CONTAINER),
            ..Self::default()
        }
    }

    fn phase(&self, moment: Timestamp) -> Phase {
        match (self.deleted, self.term) {
            (Some(deleted), _) if moment < deleted => Phase::BeforeDeletion,
            (Some(_), Some(term)) if moment >= term => Phase::AfterTerm,
            (Some(_), _) => Phase::Draining,
            (None, _) => Phase::BeforeDeletion,
        }
    }

    /// Returns whether a client has come back on another connection: a Service may lead to a pod for a while after it has left.
    fn has_changed_connection(&mut self, joined: &Joined) -> bool {
        let Some(connection) = joined.proxy.first().and_then(|record| record.connection) else {
            return false;
        };
        let stream = joined.client.stream.clone();
        *self.connections.entry(stream).or_insert(connection) != connection
    }

    /// Takes one request into the account.
    pub(super) fn enter(&mut self, joined: &Joined, outcome: Outcome) -> Fate {
        let client = &joined.client;
        let phase = self.phase(client.finished_at);
        match &client.result {
            ClientResult::Failed(failure)
                if failure.phase == RequestPhase::Connect
                    || was_never_accepted(failure, joined, phase) =>
            {
                self.turned_away += 1;
                // The attempt may take long; that it was made shows that the client had no connection any more.
                if self.phase(client.intended_at + LATE_ATTEMPT) == Phase::Draining {
                    self.left_before_term.insert(client.stream.clone());
                }
                Fate::TurnedAway(phase)
            }
            ClientResult::Failed(_) => {
                self.cut[phase as usize] += 1;
                Fate::Cut(phase)
            }
            ClientResult::Response(response) => {
                if joined.answered_from_outside().is_some() {
                    // The Service's address led nowhere for a moment.
                    self.turned_away += 1;
                    return Fate::TurnedAway(phase);
                }
                if outcome != Outcome::Allowed {
                    return Fate::Odd(phase);
                }
                self.answered += 1;
                let leaves = response
                    .header_values("connection")
                    .any(|value| value.eq_ignore_ascii_case("close"));
                if leaves && phase == Phase::Draining {
                    self.told_by_header += 1;
                }
                let changed = self.has_changed_connection(joined);
                if (leaves || changed) && phase == Phase::Draining {
                    self.left_before_term.insert(client.stream.clone());
                }
                let reported = joined
                    .agent
                    .first()
                    .is_some_and(|record| record.response_code == i32::from(response.status));
                self.without_response_data += usize::from(!reported);
                Fate::Answered
            }
        }
    }
}

/// Returns whether a connection ended before the proxy had accepted it. A listener that is closed resets what the kernel has connected for it and nothing has
/// taken yet: to the client that is a refusal that comes a moment late. One that was accepted is closed in good order, or has begun to be answered, or has a
/// record.
fn was_never_accepted(failure: &ClientFailure, joined: &Joined, phase: Phase) -> bool {
    let is_before_an_answer = matches!(
        failure.phase,
        RequestPhase::Send | RequestPhase::ResponseHead
    );
    phase == Phase::Draining
        && failure.cause == FailureCause::Reset
        && is_before_an_answer
        && joined.client.connection == ConnectionAge::New
        && joined.proxy.is_empty()
        && joined.agent.is_empty()
        && joined.upstream.is_empty()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::witness::fixture;
    use harness_core::model::timeline::LifecycleEvent;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("valid")
    }

    fn timeline() -> Vec<TimelineEvent> {
        let deleted = LifecycleEvent::DeletionRequested {
            grace_period_seconds: 30,
        };
        let term = LifecycleEvent::TermSent {
            not_before: None,
            kill_after_milliseconds: 1000,
        };
        vec![
            TimelineEvent {
                at: at(10),
                container: None,
                event: deleted,
            },
            TimelineEvent {
                at: at(20),
                container: Some(PROXY_CONTAINER.into()),
                event: term,
            },
        ]
    }

    #[rstest]
    #[case::never_accepted(
        ConnectionAge::New,
        15,
        FailureCause::Reset,
        Fate::TurnedAway(Phase::Draining)
    )]
    #[case::on_a_connection_that_stood(
        ConnectionAge::Used,
        15,
        FailureCause::Reset,
        Fate::Cut(Phase::Draining)
    )]
    #[case::by_term(
        ConnectionAge::New,
        25,
        FailureCause::Reset,
        Fate::Cut(Phase::AfterTerm)
    )]
    #[case::before_the_deletion(
        ConnectionAge::New,
        5,
        FailureCause::Reset,
        Fate::Cut(Phase::BeforeDeletion)
    )]
    #[case::closed_in_good_order(
        ConnectionAge::New,
        15,
        FailureCause::Closed,
        Fate::Cut(Phase::Draining)
    )]
    #[case::never_answered(
        ConnectionAge::New,
        15,
        FailureCause::TimedOut,
        Fate::Cut(Phase::Draining)
    )]
    fn a_new_connection_that_the_proxy_never_saw_while_it_drains_was_turned_away(
        #[case] connection: ConnectionAge,
        #[case] second: i64,
        #[case] cause: FailureCause,
        #[case] fate: Fate,
    ) {
        let mut joined = fixture::joined();
        joined.proxy.clear();
        joined.agent.clear();
        joined.upstream.clear();
        joined.client.connection = connection;
        joined.client.finished_at = at(second);
        joined.client.result = ClientResult::Failed(ClientFailure {
            phase: RequestPhase::ResponseHead,
            cause,
            detail: "as it was".into(),
        });
        let mut account = Account::new(&timeline());
        assert_eq!(account.enter(&joined, Outcome::Lost), fate);
        let whole = fixture::joined();
        let of_witness: [fn(&mut Joined, &Joined); 3] = [
            |joined, whole| joined.proxy.clone_from(&whole.proxy),
            |joined, whole| joined.agent.clone_from(&whole.agent),
            |joined, whole| joined.upstream.clone_from(&whole.upstream),
        ];
        for add_record in of_witness {
            let mut seen = joined.clone();
            add_record(&mut seen, &whole);
            let accepted = account.enter(&seen, Outcome::Lost);
            assert!(matches!(accepted, Fate::Cut(_)), "{accepted:?}");
        }
    }
}
