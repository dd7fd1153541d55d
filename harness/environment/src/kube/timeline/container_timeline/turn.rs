//! When it is a container's turn to be ended: at once, or, for a native sidecar, when everything that it serves has ended.
//!
//! The kubelet writes its event and runs the hook of a sidecar when the deletion begins, and sends TERM when every container that was started after it
//! has ended, or the grace period is over. One that ends before is sent nothing. Source: the kubelet's `terminationOrdering`.

use jiff::{SignedDuration, Timestamp};

use super::ContainerTimeline;
use crate::kube::timeline::instance::InstanceEnd;
use crate::kube::timeline::term::TermMoment;
use harness_core::model::timeline::ExitStatus;

/// Ends that are heard of within this time may have come in the other order.
const HEARD_TOGETHER: SignedDuration = SignedDuration::from_secs(1);

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub(super) enum Turn {
    /// It is the container's own, whenever it is stopped.
    #[default]
    Own,
    /// Others have to end first. What is known of its TERM and its end is kept until then.
    Awaited {
        term: Option<(TermMoment, u64)>,
        exit: Option<HeldExit>,
    },
    /// It ended before its turn, and was sent nothing.
    Missed,
}

/// An end that is known before it is known whether TERM came before it.
#[derive(Clone, Debug)]
pub(super) struct HeldExit {
    heard_at: Timestamp,
    at: Timestamp,
    id: String,
    status: ExitStatus,
}

impl ContainerTimeline {
    /// Returns whether others have to end before this container is sent TERM.
    pub(in crate::kube::timeline) const fn awaits_turn(&self) -> bool {
        matches!(self.turn, Turn::Awaited { .. })
    }

    /// Returns the earliest and the latest moment at which the container can have ended; none where it is not known to have.
    pub(in crate::kube::timeline) fn ended_between(&self) -> Option<(Timestamp, Timestamp)> {
        match (self.instance.seen_end(), self.instance.end) {
            (Some(at), _) => Some((at, at)),
            (None, InstanceEnd::Known | InstanceEnd::Lost) => self.instance.ended_between,
            (None, InstanceEnd::None) => None,
        }
    }

    /// Returns whether it ended before it was to be sent TERM.
    pub(super) const fn has_missed_its_turn(&self) -> bool {
        matches!(self.turn, Turn::Missed)
    }

    /// Returns whether no instance of it was ever started.
    pub(in crate::kube::timeline) fn was_never_started(&self) -> bool {
        self.instance.id().is_none()
    }

    /// Every container that this one has to wait for has ended: the last of them not before `earliest`, and all of them by `latest`. The kubelet waits no longer
    /// than the grace period.
    pub(in crate::kube::timeline) fn turn_comes(&mut self, earliest: Timestamp, latest: Timestamp) {
        let Turn::Awaited { term, exit } = std::mem::take(&mut self.turn) else {
            return;
        };
        if self.has_ended() || self.was_never_started() {
            return;
        }
        let since = self.deleted_at.unwrap_or(earliest);
        let deadline = self.deadline_after(since);
        let (earliest, latest) = (earliest.min(deadline), latest.min(deadline));
        let own_end = self
            .instance
            .seen_end()
            .or_else(|| exit.as_ref().map(|exit| exit.at));
        // Both ends are dated when they are heard of.
        let is_before =
            |end: Timestamp| end.saturating_add(HEARD_TOGETHER).unwrap_or(end) < earliest;
        if own_end.is_some_and(is_before) {
            self.turn = Turn::Missed;
        } else {
            let known = match (term, &self.hook) {
                (Some((moment, left)), Some(_)) => {
                    let waited = whole_seconds(moment.latest(), earliest);
                    let moment = moment.no_earlier_than(earliest, latest);
                    Some((moment, left.saturating_sub(waited)))
                }
                (Some(_) | None, None) => {
                    let left = self
                        .grace_seconds
                        .saturating_sub(whole_seconds(since, earliest));
                    Some((TermMoment::Between(earliest, latest), left))
                }
                // Its hook still runs, and TERM follows it.
                (None, Some(_)) => None,
            };
            if let Some((moment, left)) = known {
                let moment = own_end.map_or(moment, |end| moment.no_later_than(end));
                self.term(moment, left);
            }
        }
        self.release(exit);
    }

    /// Nothing more will be heard, and its turn was not seen to come. One that has ended was sent TERM when the grace period was over, or not at all; of another
    /// one nothing is known.
    pub(in crate::kube::timeline) fn give_up_turn(&mut self) {
        let ended = match &self.turn {
            Turn::Awaited { exit, .. } => exit.is_some(),
            Turn::Own | Turn::Missed => false,
        };
        match self.deleted_at.filter(|_| ended) {
            Some(deleted_at) => {
                let deadline = self.deadline_after(deleted_at);
                self.turn_comes(deadline, deadline);
            }
            None => self.turn = Turn::Own,
        }
    }

    /// Another instance was started: the end that is held was not the pod's.
    pub(super) fn end_before_restart(&mut self) {
        if let Turn::Awaited { exit, .. } = std::mem::replace(&mut self.turn, Turn::Missed) {
            self.release(exit);
            self.turn = Turn::Awaited {
                term: None,
                exit: None,
            };
        } else {
            self.turn = Turn::Own;
        }
    }

    fn release(&mut self, exit: Option<HeldExit>) {
        if let Some(exit) = exit {
            self.exit(exit.heard_at, exit.at, &exit.id, exit.status);
        }
    }

    fn deadline_after(&self, deleted_at: Timestamp) -> Timestamp {
        let grace = i64::try_from(self.grace_seconds).unwrap_or(i64::MAX);
        let deadline = deleted_at.saturating_add(SignedDuration::from_secs(grace));
        deadline.unwrap_or(deleted_at)
    }

    /// Keeps what the rules say of TERM until it is the container's turn. What they say first counts.
    pub(super) fn holds_term(&mut self, moment: TermMoment, left_seconds: u64) -> bool {
        match &mut self.turn {
            Turn::Awaited { term, .. } => {
                term.get_or_insert((moment, left_seconds));
                true
            }
            Turn::Own | Turn::Missed => false,
        }
    }

    /// Keeps an end until it is the container's turn.
    pub(super) fn holds_exit(
        &mut self,
        heard_at: Timestamp,
        at: Timestamp,
        id: &str,
        status: ExitStatus,
    ) -> bool {
        if !self.instance.is_of(id) {
            return false;
        }
        match &mut self.turn {
            Turn::Awaited { exit, .. } => {
                exit.get_or_insert_with(|| HeldExit {
                    heard_at,
                    at,
                    id: id.to_owned(),
                    status,
                });
                true
            }
            Turn::Own | Turn::Missed => false,
        }
    }
}

/// The kubelet counts what it waits in whole seconds.
fn whole_seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}
