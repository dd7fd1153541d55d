//! When a container was sent TERM, which no API reports: what the kubelet's rules say, and what was seen.

use jiff::Timestamp;

use harness_core::model::timeline::LifecycleEvent;

/// What is left to a container of which the hook has used the grace period up, in seconds.
pub(super) const LEAST_GRACE_SECONDS: u64 = 2;

/// Whether a container is a better witness of its TERM than the kubelet's rules are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum ReportsTerm {
    #[default]
    No,
    Yes,
}

/// What is known of the moment of TERM.
#[derive(Clone, Copy, Debug)]
pub(super) enum TermMoment {
    /// It was seen.
    Seen(Timestamp),
    /// It lies between the two.
    Between(Timestamp, Timestamp),
}

impl TermMoment {
    pub(super) const fn latest(self) -> Timestamp {
        match self {
            Self::Seen(at) | Self::Between(_, at) => at,
        }
    }

    /// What is known once it is certain that TERM was not sent before `earliest`; it was by `now`.
    pub(super) fn no_earlier_than(self, earliest: Timestamp, now: Timestamp) -> Self {
        match self {
            Self::Seen(at) if at >= earliest => Self::Seen(at),
            Self::Seen(_) => Self::Between(earliest, now),
            Self::Between(from, to) => Self::Between(from.max(earliest), to.max(now)),
        }
    }

    /// What is known once it is certain that TERM was sent by then.
    pub(super) fn no_later_than(self, end: Timestamp) -> Self {
        match self {
            Self::Seen(at) => Self::Seen(at.min(end)),
            Self::Between(earliest, latest) => Self::Between(earliest.min(end), latest.min(end)),
        }
    }
}

/// The TERM of one instance of a container.
#[derive(Clone, Debug, Default)]
pub(super) struct Term {
    /// When it was sent: the latest moment, where it was not observed.
    sent: Option<Timestamp>,
    /// What the rules say of a TERM that the container has not reported of yet, and the seconds that it then has.
    by_the_rules: Option<(TermMoment, u64)>,
}

impl Term {
    /// Returns when it was sent, as late as it can have been.
    pub(super) const fn sent(&self) -> Option<Timestamp> {
        self.sent
    }

    /// Keeps what the rules say until the container reports it, or has ended. What they say first counts.
    pub(super) fn await_report(&mut self, moment: TermMoment, left_seconds: u64) {
        self.by_the_rules.get_or_insert((moment, left_seconds));
    }

    /// Returns what the rules said, where the container was to report it and did not.
    pub(super) const fn take_by_the_rules(&mut self) -> Option<(TermMoment, u64)> {
        self.by_the_rules.take()
    }

    /// It was sent, once; returns what that adds to the timeline.
    pub(super) fn send(&mut self, moment: TermMoment, left_seconds: u64) -> Option<LifecycleEvent> {
        if self.sent.is_some() {
            return None;
        }
        self.sent = Some(moment.latest());
        Some(LifecycleEvent::TermSent {
            not_before: match moment {
                TermMoment::Seen(_) => None,
                TermMoment::Between(earliest, latest) => (earliest < latest).then_some(earliest),
            },
            kill_after_milliseconds: left_seconds.max(LEAST_GRACE_SECONDS).saturating_mul(1000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("valid")
    }

    #[test]
    fn term_is_sent_once_with_no_less_than_the_least_grace() {
        let mut term = Term::default();
        let first = term.send(TermMoment::Between(at(1), at(3)), 0);
        assert_eq!(
            first,
            Some(LifecycleEvent::TermSent {
                not_before: Some(at(1)),
                kill_after_milliseconds: LEAST_GRACE_SECONDS * 1000,
            })
        );
        assert_eq!(term.send(TermMoment::Seen(at(2)), 9), None);
        assert_eq!(term.sent(), Some(at(3)));
    }

    #[test]
    fn a_term_that_the_end_shows_was_no_later_than_it() {
        let mut term = Term::default();
        term.await_report(TermMoment::Between(at(1), at(5)), 7);
        term.await_report(TermMoment::Seen(at(9)), 9);
        let (moment, left) = term.take_by_the_rules().expect("what the rules said first");
        assert_eq!(left, 7);
        assert_eq!(moment.no_later_than(at(3)).latest(), at(3));
        assert!(term.take_by_the_rules().is_none());
    }
}
