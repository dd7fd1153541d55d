//! One life of a container: from one start to its end. The next start begins another one, and nothing of this one is in it.

use jiff::{SignedDuration, Timestamp};

use crate::kube::timeline::pre_stop::HookCourse;
use crate::kube::timeline::term::{TellsOfTerm, TermCourse};
use harness_core::model::timeline::ExitStatus;

/// How long the last lines of a container's log may come after the word of its end.
const LAST_WORDS_WITHIN: SignedDuration = SignedDuration::from_secs(1);

/// A container's end as the node's runtime tells of it.
#[derive(Debug)]
pub(super) struct ToldEnd {
    pub at: Timestamp,
    pub status: ExitStatus,
    told_at: Timestamp,
}

/// How a life has ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum LifeEnd {
    /// It has not, as far as is known.
    #[default]
    None,
    /// The kubelet finds the container no more, and cannot say how.
    Lost,
    /// It is known how.
    Known,
}

/// What is known of one life.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// The runtime's id; none before the first start.
    instance: Option<String>,
    /// When it began, in whole seconds.
    pub started_at: Option<Timestamp>,
    pub startup_complete_at: Option<Timestamp>,
    pub hook: HookCourse,
    pub term: TermCourse,
    pub end: LifeEnd,
    /// When its first process was seen to end. Its node may see that before anybody knows how.
    process_ended: Option<Timestamp>,
    told_end: Option<ToldEnd>,
}

impl Life {
    /// Begins.
    pub(in crate::kube) fn of(instance: &str, started_at: Option<Timestamp>) -> Self {
        Self {
            instance: Some(instance.to_owned()),
            started_at,
            ..Self::default()
        }
    }

    /// Tells whether this is the life of an instance.
    pub(super) fn is_of(&self, instance: &str) -> bool {
        self.instance.as_deref() == Some(instance)
    }

    /// Returns the runtime's id of it.
    pub(in crate::kube) fn instance(&self) -> Option<String> {
        self.instance.clone()
    }

    /// Its first process was seen to end.
    pub(super) const fn process_ended(&mut self, at: Timestamp) {
        self.process_ended = Some(at);
    }

    /// Returns when its first process was seen to end.
    pub(super) const fn seen_end(&self) -> Option<Timestamp> {
        self.process_ended
    }

    /// The runtime tells how it ended. A word that comes when the end of no process of this life was seen is of an earlier one.
    pub(super) fn told_of_end(&mut self, now: Timestamp, exit_code: i32) {
        if let Some(at) = self.process_ended {
            self.told_end = Some(ToldEnd {
                at,
                told_at: now,
                status: ExitStatus::Code(exit_code),
            });
        }
    }

    /// Returns the runtime's word of its end, once the container itself has had the time to tell of its TERM.
    pub(super) fn take_told_end(&mut self, now: Timestamp, tells: TellsOfTerm) -> Option<ToldEnd> {
        let term_is_known = self.term.sent().is_some();
        self.told_end.take_if(|told| {
            let has_spoken = tells == TellsOfTerm::No || term_is_known;
            has_spoken || now.duration_since(told.told_at) >= LAST_WORDS_WITHIN
        })
    }

    /// Returns the runtime's word of its end, whatever the container may still say.
    pub(in crate::kube) const fn settle(&mut self) -> Option<ToldEnd> {
        self.told_end.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::timeline::term::TermMoment;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).expect("valid")
    }

    #[test]
    fn a_word_of_an_end_that_nobody_saw_is_of_an_earlier_life() {
        let mut life = Life::of("b", None);
        life.told_of_end(at(0), 137);
        assert!(life.settle().is_none());
        life.process_ended(at(5));
        life.told_of_end(at(9), 0);
        assert_eq!(life.settle().expect("told").at, at(5));
    }

    #[test]
    fn the_runtimes_word_waits_for_the_containers_own() {
        let mut life = Life::of("a", None);
        life.process_ended(at(0));
        life.told_of_end(at(10), 0);
        assert!(life.take_told_end(at(20), TellsOfTerm::Yes).is_none());
        life.term.send(TermMoment::Seen(at(0)), 3);
        assert!(life.take_told_end(at(20), TellsOfTerm::Yes).is_some());
    }
}
