//! One instance of a container: from one start to its end. The next start begins another one, and nothing of this one is in it.

use jiff::{SignedDuration, Timestamp};

use super::pre_stop::HookRun;
use super::term::{ReportsTerm, Term};
use harness_core::model::timeline::ExitStatus;

/// How long the last lines of a container's log may come after its end was reported.
const LAST_LINES_WITHIN: SignedDuration = SignedDuration::from_secs(1);

/// An instance's end as the node's runtime reports it.
#[derive(Clone, Debug)]
pub(super) struct ReportedEnd {
    pub at: Timestamp,
    pub status: ExitStatus,
    heard_at: Timestamp,
}

/// How an instance has ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum InstanceEnd {
    /// It has not, as far as is known.
    #[default]
    None,
    /// The kubelet finds the container no more, and cannot say how.
    Lost,
    /// It is known how.
    Known,
}

/// What is known of one instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Instance {
    /// The runtime's id; none before the first start.
    id: Option<String>,
    /// When it began, in whole seconds.
    started_at: Option<Timestamp>,
    pub startup_complete_at: Option<Timestamp>,
    pub hook: HookRun,
    pub term: Term,
    pub end: InstanceEnd,
    /// When its first process was seen to end. The node may see that before it is known how.
    process_ended: Option<Timestamp>,
    reported_end: Option<ReportedEnd>,
    /// The earliest and the latest moment of its end, where a status says that it has ended.
    pub ended_between: Option<(Timestamp, Timestamp)>,
}

impl Instance {
    /// Begins.
    pub(super) fn of(id: &str, started_at: Option<Timestamp>) -> Self {
        Self {
            id: Some(id.to_owned()),
            started_at,
            ..Self::default()
        }
    }

    /// Returns whether this is the instance of that id.
    pub(super) fn is_of(&self, id: &str) -> bool {
        self.id.as_deref() == Some(id)
    }

    /// Returns the runtime's id of it.
    pub(super) fn id(&self) -> Option<String> {
        self.id.clone()
    }

    /// Returns whether what the kubelet dates so, in whole seconds, can be of this instance.
    pub(super) fn may_be_of(&self, dated: Timestamp) -> bool {
        self.started_at.is_none_or(|started_at| dated >= started_at)
    }

    /// Its first process was seen to end.
    pub(super) const fn process_ended(&mut self, at: Timestamp) {
        self.process_ended = Some(at);
    }

    /// Returns when its first process was seen to end.
    pub(super) const fn seen_end(&self) -> Option<Timestamp> {
        self.process_ended
    }

    /// The runtime reports how it ended. A report that comes when no process of this instance was seen to end is of an earlier one.
    pub(super) fn report_end(&mut self, heard_at: Timestamp, exit_code: i32) {
        if let Some(at) = self.process_ended {
            self.reported_end = Some(ReportedEnd {
                at,
                heard_at,
                status: ExitStatus::Code(exit_code),
            });
        }
    }

    /// Returns whether the runtime's report of its end can be believed by then: the container itself has had the time to report its TERM.
    pub(super) fn reported_end_is_due(&self, now: Timestamp, reports: ReportsTerm) -> bool {
        self.reported_end.as_ref().is_some_and(|end| {
            reports == ReportsTerm::No
                || self.term.sent().is_some()
                || now.duration_since(end.heard_at) >= LAST_LINES_WITHIN
        })
    }

    /// Returns the runtime's report of its end, once it can be believed.
    pub(super) fn take_reported_end(
        &mut self,
        now: Timestamp,
        reports: ReportsTerm,
    ) -> Option<ReportedEnd> {
        if !self.reported_end_is_due(now, reports) {
            return None;
        }
        self.reported_end.take()
    }

    /// Returns the runtime's report of its end, whatever the container may still say.
    pub(super) const fn settle(&mut self) -> Option<ReportedEnd> {
        self.reported_end.take()
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
    fn a_report_of_an_end_that_was_not_seen_is_of_an_earlier_instance() {
        let mut instance = Instance::of("b", None);
        instance.report_end(at(0), 137);
        assert!(instance.settle().is_none());
        instance.process_ended(at(5));
        instance.report_end(at(9), 0);
        assert_eq!(instance.settle().expect("reported").at, at(5));
    }

    #[test]
    fn the_runtimes_report_waits_for_the_containers_own() {
        let mut instance = Instance::of("a", None);
        instance.process_ended(at(0));
        instance.report_end(at(10), 0);
        let waiting = instance.take_reported_end(at(20), ReportsTerm::Yes);
        assert!(waiting.is_none());
        instance.term.send(TermMoment::Seen(at(0)), 3);
        let believed = instance.take_reported_end(at(20), ReportsTerm::Yes);
        assert!(believed.is_some());
    }
}
