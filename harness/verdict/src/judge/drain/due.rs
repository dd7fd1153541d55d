//! Which requests of a drain's streams must be answered and inspected, and how many of those that were due well before the proxy's TERM were.
//!
//! What is under way at TERM may be cut by it, and a busy machine holds requests for longer than any margin. An agent or a proxy that has
//! ceased to answer holds nearly all of them: that is found by their number.

use jiff::{SignedDuration, Timestamp};

use crate::judge::judged::Judged;
use crate::judge::lifecycle::{earliest_term, first};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;
use harness_traffic::record::ClientRecord;

/// What is due within this time before a container's TERM may be cut by it.
pub(super) const TERM_MARGIN: SignedDuration = SignedDuration::from_millis(150);
/// A request that is due so long before the proxy's TERM is over by then, nearly always.
const WELL_BEFORE_TERM: SignedDuration = SignedDuration::from_millis(500);
/// How many of a hundred such requests have to be over by then.
const LEAST_SHARE_PERCENT: u64 = 75;

/// Returns when the pod's deletion was asked for.
pub fn deletion_asked_at(timeline: &[TimelineEvent]) -> Option<Timestamp> {
    first(timeline, None, |event| {
        matches!(event, LifecycleEvent::DeletionRequested { .. })
    })
}

/// Whether a request must be answered and inspected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// It must.
    Answered,
    /// It may be cut.
    Anything,
}

/// The requests of one stream that were due between the deletion and well before the proxy's TERM.
#[derive(Clone, Copy, Debug)]
struct Tally {
    kind: StreamKind,
    intended: u64,
    over: u64,
}

/// The time between the deletion and the proxy's TERM, and the requests that fell into it.
#[derive(Debug)]
pub(super) struct Draining {
    asked: Option<Timestamp>,
    term: Option<Timestamp>,
    judged: u64,
    tallies: [Tally; 2],
}

impl Draining {
    /// Reads the time from the pod's timeline.
    pub(super) fn of(timeline: &[TimelineEvent]) -> Self {
        let none = |kind| Tally {
            kind,
            intended: 0,
            over: 0,
        };
        Self {
            asked: deletion_asked_at(timeline),
            term: earliest_term(timeline, PROXY_CONTAINER),
            judged: 0,
            tallies: [StreamKind::Benign, StreamKind::Attack].map(none),
        }
    }

    /// Takes a request in, and says what must have become of it.
    pub(super) fn enter(&mut self, kind: StreamKind, client: &ClientRecord) -> Due {
        let is_over = self.term.is_none_or(|term| client.finished_at < term);
        let was_due = |margin| {
            self.term
                .is_none_or(|term| client.intended_at < term - margin)
        };
        let since_deletion = self.asked.is_some_and(|asked| client.intended_at >= asked);
        let must_be_answered = is_over && was_due(TERM_MARGIN);
        let was_well_before = was_due(WELL_BEFORE_TERM);
        if since_deletion {
            self.judged += u64::from(must_be_answered);
            for tally in self.tallies.iter_mut().filter(|tally| tally.kind == kind) {
                tally.intended += u64::from(was_well_before);
                tally.over += u64::from(was_well_before && is_over);
            }
        }
        if must_be_answered {
            Due::Answered
        } else {
            Due::Anything
        }
    }

    /// Reports the numbers, and holds those of each stream against the least share.
    pub(super) fn judge(&self, position: Position, judged: &mut Judged) {
        judged.observe(
            "requests judged between deletion and TERM",
            self.judged.to_string(),
        );
        for Tally {
            kind,
            intended,
            over,
        } in self.tallies
        {
            if intended == 0 {
                judged.findings.push(Finding::new(
                    FindingKind::NotExercised,
                    position,
                    format!("{kind} requests are sent while the preStop hooks run"),
                    "none was due well before the proxy had its TERM: nothing was tested",
                ));
            } else if over * 100 < intended * LEAST_SHARE_PERCENT {
                judged.findings.push(Finding::new(
                    FindingKind::DrainStall,
                    position,
                    format!(
                        "{kind} requests that are due well before the proxy's TERM are over by then"
                    ),
                    format!("{over} of {intended} were: they are held until they are cut"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use rstest::rstest;

    use super::*;
    use crate::witness::fixture::{NOON, joined};

    fn after(milliseconds: i64) -> Timestamp {
        let noon: Timestamp = NOON.parse().expect("valid");
        noon + milliseconds.milliseconds()
    }

    fn request(intended: i64, finished: i64) -> ClientRecord {
        let mut client = joined().client;
        client.intended_at = after(intended);
        client.finished_at = after(finished);
        client
    }

    /// The deletion is asked for at 0, and the proxy is sent TERM at 3000.
    fn draining() -> Draining {
        Draining {
            asked: Some(after(0)),
            term: Some(after(3000)),
            ..Draining::of(&[])
        }
    }

    #[rstest]
    #[case::before_the_deletion(-100, -50, Due::Answered)]
    #[case::over_before_term(0, 2999, Due::Answered)]
    #[case::cut_by_term(0, 3000, Due::Anything)]
    #[case::due_shortly_before(2900, 2950, Due::Anything)]
    fn what_is_under_way_at_term_may_be_cut_by_it(
        #[case] intended: i64,
        #[case] finished: i64,
        #[case] due: Due,
    ) {
        let request = request(intended, finished);
        assert_eq!(draining().enter(StreamKind::Benign, &request), due);
    }

    /// Enters requests that are due every 100 ms; those that are due from `held_from` on are held until TERM.
    fn findings(benign_held_from: i64, attacks_held_from: i64) -> Vec<String> {
        let mut draining = draining();
        for intended in (0..3000).step_by(100) {
            for (kind, held_from) in [
                (StreamKind::Benign, benign_held_from),
                (StreamKind::Attack, attacks_held_from),
            ] {
                let finished = if intended < held_from {
                    intended + 10
                } else {
                    3010
                };
                draining.enter(kind, &request(intended, finished));
            }
        }
        let mut judged = Judged::default();
        draining.judge(Position::default(), &mut judged);
        let observed = judged.findings.into_iter();
        observed
            .map(|finding| finding.observed.to_string())
            .collect()
    }

    #[test]
    fn a_machine_that_stands_still_before_term_is_forgiven() {
        assert_eq!(findings(1900, 1900), [""; 0]);
    }

    #[test]
    fn a_stream_that_is_held_is_found_whichever_it_is() {
        let held = "10 of 25 were: they are held until they are cut";
        assert_eq!(findings(3000, 1000), [held]);
        assert_eq!(findings(1000, 1000), [held, held]);
    }

    #[test]
    fn a_drain_in_which_nothing_was_due_has_tested_nothing() {
        let mut judged = Judged::default();
        draining().judge(Position::default(), &mut judged);
        assert_eq!(judged.findings.len(), 2);
    }
}
