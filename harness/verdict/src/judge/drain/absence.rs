//! The part of a drain in which the agent has ended and the proxy has not: what is right of a request then.

use jiff::Timestamp;

use super::due::TERM_MARGIN;
use crate::judge::lifecycle::{earliest_term, first};
use crate::witness::join::Joined;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::AGENT_CONTAINER;

/// The time in which the agent has ended and the proxy has not.
pub(super) struct Absence {
    /// What becomes of requests then; none where the scenario says nothing of it.
    pub(super) outcome: Option<Outcome>,
    term: Option<Timestamp>,
    exit: Option<Timestamp>,
}

impl Absence {
    /// Reads it from the pod's timeline.
    pub(super) fn of_agent(outcome: Option<Outcome>, timeline: &[TimelineEvent]) -> Self {
        Self {
            outcome,
            term: earliest_term(timeline, AGENT_CONTAINER),
            exit: first(timeline, Some(AGENT_CONTAINER), |event| {
                matches!(event, LifecycleEvent::Exited(_))
            }),
        }
    }

    /// Returns the outcomes that are right for a request, by when it was under way.
    pub(super) fn right_for(&self, joined: &Joined, usual: Outcome) -> Vec<Outcome> {
        let client = &joined.client;
        let (Some(outcome), Some(term)) = (self.outcome, self.term) else {
            return vec![usual];
        };
        // A check that was begun well before TERM is one that the agent has to finish.
        let was_begun = client.sent_at.is_some_and(|sent| sent < term - TERM_MARGIN);
        if client.finished_at < term || was_begun {
            return vec![usual];
        }
        let is_gone = self
            .exit
            .is_some_and(|exit| client.sent_at.is_some_and(|sent| sent > exit));
        if is_gone {
            vec![outcome]
        } else {
            vec![usual, outcome]
        }
    }
}
