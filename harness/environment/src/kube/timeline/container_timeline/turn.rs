//! When it is a container's turn to be ended: at once, or, for a native sidecar, when everything that it serves has ended.
//!
//! The kubelet writes its event and runs the hook of a sidecar when the deletion begins, and sends TERM when every container that was started after it
//! has ended, or the grace period is over. One that ends before is sent nothing. Source: the kubelet's `terminationOrdering`.

use jiff::{SignedDuration, Timestamp};

use super::ContainerTimeline;
use crate::kube::timeline::instance::InstanceEnd;
use crate::kube::timeline::term::TermMoment;
use harness_core::model::timeline::ExitStatus;

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

    /// Returns the earliest moment at which the container can have ended; none where it is not known to have.
    pub(in crate::kube::timeline) fn earliest_end(&self) -> Option<Timestamp> {
        match (self.instance.seen_end(), self.instance.end) {
            (Some(at), _) => Some(at),
            (None, InstanceEnd::Known | InstanceEnd::Lost) => self.instance.not_ended_before,
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

    /// Every container that this one has to wait for has ended: the last of them not before `earliest`, and all of them by `now`.
    pub(in crate::kube::timeline) fn turn_comes(&mut self, earliest: Timestamp, now: Timestamp) {
        let Turn::Awaited { term, exit } = std::mem::take(&mut self.turn) else {
            return;
        };
        if self.has_ended() {
            return;
        }
        let own_end = self
            .instance
            .seen_end()
            .or_else(|| exit.as_ref().map(|exit| exit.at));
        if own_end.is_some_and(|end| end < earliest) {
            self.turn = Turn::Missed;
        } else {
            let since = self.deleted_at.unwrap_or(earliest);
            let (moment, left) = match (term, &self.hook) {
                (Some((moment, left)), Some(_)) => {
                    (Some(moment.no_earlier_than(earliest, now)), left)
                }
                (Some(_) | None, None) => (
                    Some(TermMoment::Between(earliest, now)),
                    self.seconds_left(since, earliest),
                ),
                // Its hook still runs, and TERM follows it.
                (None, Some(_)) => (None, 0),
            };
            if let Some(moment) = moment {
                let moment = own_end.map_or(moment, |end| moment.no_later_than(end));
                self.term(moment, left);
            }
        }
        if let Some(exit) = exit {
            self.exit(exit.heard_at, exit.at, &exit.id, exit.status);
        }
    }

    /// Nothing more will be heard, and its turn was not seen to come: TERM was sent when the grace period was over, or not at all.
    pub(super) fn give_up_turn(&mut self) {
        let Some(deleted_at) = self.deleted_at.filter(|_| self.awaits_turn()) else {
            return;
        };
        let grace =
            SignedDuration::from_secs(i64::try_from(self.grace_seconds).unwrap_or(i64::MAX));
        let deadline = deleted_at.saturating_add(grace).unwrap_or(deleted_at);
        self.turn_comes(deadline, deadline);
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

    /// The kubelet counts the wait in whole seconds.
    fn seconds_left(&self, since: Timestamp, until: Timestamp) -> u64 {
        let waited = until.duration_since(since).as_secs();
        self.grace_seconds
            .saturating_sub(u64::try_from(waited).unwrap_or(0))
    }
}
