//! A container's preStop hook: what it is, how far it is, and what of the grace period it has used.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

use harness_core::model::timeline::LifecycleEvent;

/// What the harness sees of a hook lies within this time of what the kubelet counts: a hook that ends so shortly before its deadline has been
/// ended by it, and what the container has left is the same in either case.
const DEADLINE_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);
/// How long after its container's end was heard of the kubelet may still report a hook: it does so beside its work.
const SIGNAL_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// What a container does before it is sent TERM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Hook {
    /// A command runs in it.
    Exec(Vec<String>),
    /// The kubelet asks a port.
    Http,
    /// The kubelet waits.
    Sleep(u64),
}

/// How far a container's hook is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum HookState {
    #[default]
    NotBegun,
    Runs {
        since: Timestamp,
        process: Option<i32>,
    },
    Over {
        since: Timestamp,
        by: Timestamp,
    },
}

/// Whether a signal of the kubelet about a hook may still come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Awaited {
    /// It has come, or there is none: of a hook that ended well the kubelet says nothing.
    #[default]
    No,
    /// The hook was not seen to end: it may be reported as long as the pod is there.
    Yes,
    /// The hook was seen to end, or its end is known by time: a failure is reported soon after, or never.
    Until(Timestamp),
}

/// What is to be said of a hook when nothing more will be heard of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HookRemainder {
    /// It was over by then, and no failure was reported.
    Finished(Timestamp),
    /// It had to run before the container's end, and was not observed.
    Unseen(Timestamp),
}

/// Whether the kubelet had to run a container's hook before it ended: it had been asked to stop it, with a grace period.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stopped {
    No,
    Yes,
}

/// How a hook has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HookEnd {
    /// By itself; so many seconds of the grace period are left.
    Finished { left_seconds: u64 },
    /// It has used the grace period up.
    Overran,
}

/// The hook of one instance of a container.
#[derive(Clone, Debug, Default)]
pub(super) struct HookRun {
    state: HookState,
    signal: Awaited,
    container_ended_at: Option<Timestamp>,
    /// Whether it had to run before the container's end.
    is_owed: bool,
    /// When it was over at the latest, where it was not observed how it ended and its end is not in the timeline yet.
    open_end: Option<Timestamp>,
    has_overrun: bool,
}

impl Hook {
    /// Reads the hook out of the pod template.
    pub(super) fn of(container: &Container) -> Option<Self> {
        let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
        if let Some(exec) = &hook.exec {
            return Some(Self::Exec(exec.command.clone().unwrap_or_default()));
        }
        if let Some(sleep) = &hook.sleep {
            return Some(Self::Sleep(
                u64::try_from(sleep.seconds).unwrap_or_default(),
            ));
        }
        Some(Self::Http)
    }
}

impl HookRun {
    /// It has begun, as far as that is news; returns what that adds to the timeline.
    pub(super) fn begin(&mut self, now: Timestamp, process: Option<i32>) -> Option<LifecycleEvent> {
        match &mut self.state {
            HookState::NotBegun => {
                self.state = HookState::Runs {
                    since: now,
                    process,
                };
                self.end_with_container();
                Some(LifecycleEvent::PreStopStarted)
            }
            HookState::Runs { process: known, .. } => {
                *known = known.or(process);
                None
            }
            HookState::Over { .. } => None,
        }
    }

    /// It is over by then at the latest: TERM is sent.
    pub(super) fn end(&mut self, now: Timestamp) {
        if let HookState::Runs { since, .. } = self.state {
            self.state = HookState::Over {
                since: since.min(now),
                by: now,
            };
        }
    }

    /// Returns since when it runs.
    pub(super) const fn runs_since(&self) -> Option<Timestamp> {
        match self.state {
            HookState::Runs { since, .. } => Some(since),
            HookState::NotBegun | HookState::Over { .. } => None,
        }
    }

    /// Returns the seconds of the grace period that it has used by then.
    pub(super) fn used_seconds(&self, now: Timestamp) -> u64 {
        match self.state {
            HookState::Runs { since, .. } | HookState::Over { since, .. } => {
                seconds_between(since, now)
            }
            HookState::NotBegun => 0,
        }
    }

    /// A process has ended: the hook's own, or another one.
    pub(super) fn leave(&self, now: Timestamp, gone: i32, grace_seconds: u64) -> Option<HookEnd> {
        let HookState::Runs {
            since,
            process: Some(own),
        } = self.state
        else {
            return None;
        };
        if own != gone {
            return None;
        }
        if has_used_up(now.duration_since(since), grace_seconds) {
            return Some(HookEnd::Overran);
        }
        let left_seconds = grace_seconds.saturating_sub(seconds_between(since, now));
        Some(HookEnd::Finished { left_seconds })
    }

    /// Time has passed: a pause may be over, and so may the grace period. Returns how many seconds after its beginning it has ended, and how.
    pub(super) fn end_by_time(
        &self,
        now: Timestamp,
        hook: Option<&Hook>,
        grace_seconds: u64,
    ) -> Option<(u64, HookEnd)> {
        let used = now.duration_since(self.runs_since()?);
        if used >= whole_seconds(grace_seconds) {
            return Some((grace_seconds, HookEnd::Overran));
        }
        match hook {
            Some(Hook::Sleep(seconds)) if used >= whole_seconds(*seconds) => {
                let left_seconds = grace_seconds.saturating_sub(*seconds);
                Some((*seconds, HookEnd::Finished { left_seconds }))
            }
            Some(Hook::Exec(_) | Hook::Http | Hook::Sleep(_)) | None => None,
        }
    }

    /// It has used the grace period up. The kubelet says of such a hook that it failed as well.
    pub(super) const fn overran(&mut self) {
        self.has_overrun = true;
    }

    /// Returns whether it has used the grace period up.
    pub(super) const fn has_overrun(&self) -> bool {
        self.has_overrun
    }

    /// The container has ended, as is heard now, and so has the hook, seen or not. A container that ended by itself has run none.
    pub(super) fn container_ended(
        &mut self,
        now: Timestamp,
        at: Timestamp,
        hook: Option<&Hook>,
        stopped: Stopped,
    ) {
        let soon = Awaited::Until(now.saturating_add(SIGNAL_WITHIN).unwrap_or(now));
        self.signal = match (hook, self.state, stopped) {
            (None, _, _) | (Some(_), HookState::NotBegun, Stopped::No) => Awaited::No,
            (Some(Hook::Exec(_) | Hook::Http), HookState::NotBegun, Stopped::Yes)
            | (Some(Hook::Exec(_) | Hook::Http), HookState::Runs { .. }, _) => Awaited::Yes,
            (Some(Hook::Sleep(_)), HookState::NotBegun, Stopped::Yes)
            | (Some(Hook::Exec(_) | Hook::Http), HookState::Over { .. }, _) => soon,
            (Some(Hook::Sleep(_)), HookState::Runs { .. } | HookState::Over { .. }, _) => {
                Awaited::No
            }
        };
        self.container_ended_at = Some(at);
        self.is_owed = hook.is_some() && stopped == Stopped::Yes;
        self.end_with_container();
    }

    /// The kubelet says that it has failed. Returns when that was, as far as is known.
    pub(super) fn fail(&mut self) -> Option<Timestamp> {
        self.signal = Awaited::No;
        match (self.open_end.take(), self.state) {
            (None, HookState::Over { by, .. }) => Some(by),
            // Its container has ended since, and it lasted no longer than that.
            (Some(_), HookState::Over { since, .. }) => Some(since),
            (_, HookState::NotBegun | HookState::Runs { .. }) => None,
        }
    }

    /// Nothing more will be heard of it. Returns what is not in the timeline yet.
    pub(super) const fn conclude(&mut self) -> Option<HookRemainder> {
        if let Some(at) = self.open_end.take() {
            return Some(HookRemainder::Finished(at));
        }
        match (self.state, self.container_ended_at) {
            (HookState::NotBegun, Some(at)) if self.is_owed => {
                self.is_owed = false;
                Some(HookRemainder::Unseen(at))
            }
            (HookState::NotBegun | HookState::Runs { .. } | HookState::Over { .. }, _) => None,
        }
    }

    /// Returns whether a hook that still runs has used the grace period up by then.
    pub(super) fn has_used_up(&self, now: Timestamp, grace_seconds: u64) -> bool {
        self.runs_since()
            .is_some_and(|since| has_used_up(now.duration_since(since), grace_seconds))
    }

    fn end_with_container(&mut self) {
        if let (HookState::Runs { .. }, Some(at)) = (self.state, self.container_ended_at) {
            self.open_end = Some(at);
            self.end(at);
        }
    }

    /// Returns whether the kubelet may still report it.
    pub(super) fn awaits_signal(&self, now: Timestamp) -> bool {
        match self.signal {
            Awaited::No => false,
            Awaited::Yes => true,
            Awaited::Until(until) => now < until,
        }
    }
}

/// Returns whether a hook that ended after this time was ended by its deadline.
fn has_used_up(used: SignedDuration, grace_seconds: u64) -> bool {
    used.saturating_add(DEADLINE_TOLERANCE) >= whole_seconds(grace_seconds)
}

/// Returns a span of whole seconds.
fn whole_seconds(seconds: u64) -> SignedDuration {
    SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(SignedDuration::MAX)
}

/// Returns the whole seconds between two moments, as the kubelet counts them.
fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

#[cfg(test)]
#[path = "pre_stop_tests.rs"]
mod tests;
