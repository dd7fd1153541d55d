//! How a container is stopped, by the kubelet's rules and by what is seen of them: its hook first, then TERM.

use jiff::{SignedDuration, Timestamp};

use super::ContainerTimeline;
use crate::kube::timeline::pre_stop::{Hook, HookEnd, HookRemainder};
use crate::kube::timeline::term::{ReportsTerm, TermMoment};
use harness_core::model::timeline::LifecycleEvent;

impl ContainerTimeline {
    /// The kubelet stops the container because of a probe and will start it again.
    pub(super) fn restart(&mut self, at: Timestamp, reason: &str) {
        let reason = reason.to_owned();
        self.add(at, LifecycleEvent::Restarting { reason });
        self.stop(at);
    }

    /// The kubelet has begun to stop the container: its hook runs, or it is sent TERM.
    pub(super) fn stop(&mut self, heard_at: Timestamp) {
        let (earliest, now) = self.span_of_hook(heard_at);
        match self.hook {
            None => {
                let at = self.instance.seen_end().map_or(now, |ended| ended.min(now));
                self.term(TermMoment::Between(earliest, at), self.grace_seconds);
            }
            Some(Hook::Exec(_) | Hook::Sleep(_)) => self.begin_hook(now, None),
            Some(Hook::Http) => {
                // The port answers at once or the hook fails; the kubelet reports a failure only.
                self.begin_hook(now, None);
                if self.instance.hook.runs_since().is_some() {
                    let left_seconds = self.grace_seconds;
                    let end = HookEnd::Finished { left_seconds };
                    self.end_hook(TermMoment::Between(earliest, now), end);
                }
            }
        }
    }

    /// The kubelet says that the hook has failed.
    pub(super) fn fail_hook(&mut self, heard_at: Timestamp, reason: &str) {
        // A hook that is cut short by its deadline has overrun; the kubelet says that it failed as well.
        let (earliest, now) = self.span_of_hook(heard_at);
        if self.instance.hook.has_used_up(now, self.grace_seconds) {
            self.end_hook_by_time(now, self.grace_seconds, HookEnd::Overran);
        }
        if self.instance.hook.has_overrun() {
            return;
        }
        self.begin_hook(now, None);
        let at = self.instance.hook.fail().unwrap_or(now);
        let reason = reason.to_owned();
        self.add(at, LifecycleEvent::PreStopFailed { reason });
        let used = match self.instance.hook.runs_since() {
            Some(_) => self.instance.hook.used_seconds(now),
            None => 0,
        };
        let left = self.grace_seconds.saturating_sub(used);
        self.term(TermMoment::Between(earliest, now), left);
    }

    /// Nothing more will be heard of this instance: what was not observed of its hook follows from the rules.
    pub(in crate::kube::timeline) fn conclude(&mut self) {
        match self.instance.hook.conclude() {
            Some(HookRemainder::Finished(at)) => self.add_finished(at),
            Some(HookRemainder::Unseen(at)) => {
                let reason = "its preStop hook was not observed".into();
                self.add(at, LifecycleEvent::EndUnknown { reason });
            }
            None => {}
        }
    }

    /// The container itself says when it was sent TERM.
    pub(super) fn receive_term(&mut self, heard_at: Timestamp, at: Timestamp) {
        // Its clock may differ from this one: it is believed within what is possible.
        let earliest = self.deleted_at.unwrap_or(at).min(heard_at);
        let at = at.clamp(earliest, heard_at);
        let used = self.instance.hook.used_seconds(at);
        if self.instance.hook.runs_since().is_some() {
            self.add_finished(at);
        }
        let left = self.grace_seconds.saturating_sub(used);
        self.send_term(TermMoment::Seen(at), left);
    }

    /// A process was started from outside: the hook's, unless it is a probe's.
    pub(super) fn enter(&mut self, at: Timestamp, process: i32, command: &[String]) {
        let Some(Hook::Exec(hook)) = &self.hook else {
            return;
        };
        let is_probe = || self.probe_commands.iter().any(|probe| probe == command);
        if command == hook || (self.deleted_at.is_some() && !is_probe()) {
            self.begin_hook(at, Some(process));
        }
    }

    /// A process that was started from outside has ended.
    pub(super) fn leave(&mut self, at: Timestamp, process: i32) {
        if let Some(end) = self.instance.hook.leave(at, process, self.grace_seconds) {
            self.end_hook(TermMoment::Seen(at), end);
        }
    }

    /// Only time shows that a hook has ended. It may have begun earlier than was heard, but not before the deletion.
    pub(super) fn end_hook_by_time(&mut self, now: Timestamp, lasted_seconds: u64, end: HookEnd) {
        let lasted = SignedDuration::from_secs(i64::try_from(lasted_seconds).unwrap_or(i64::MAX));
        let earliest = self
            .deleted_at
            .and_then(|deleted| deleted.checked_add(lasted).ok())
            .map_or(now, |earliest| earliest.min(now));
        self.end_hook(TermMoment::Between(earliest, now), end);
    }

    /// Returns the earliest moment of what is heard of a hook now, and the moment that it is placed at: where the container has ended
    /// meanwhile, it was before TERM.
    fn span_of_hook(&self, heard_at: Timestamp) -> (Timestamp, Timestamp) {
        let earliest = self.deleted_at.unwrap_or(heard_at);
        let latest = if self.has_ended() { earliest } else { heard_at };
        (earliest, latest)
    }

    fn begin_hook(&mut self, at: Timestamp, process: Option<i32>) {
        if let Some(event) = self.instance.hook.begin(at, process) {
            self.add(at, event);
        }
    }

    /// The hook has ended, and TERM was sent at that moment.
    fn end_hook(&mut self, moment: TermMoment, end: HookEnd) {
        match end {
            HookEnd::Finished { left_seconds } => {
                self.add_finished(moment.latest());
                self.term(moment, left_seconds);
            }
            HookEnd::Overran => {
                self.add(moment.latest(), LifecycleEvent::PreStopOverran);
                self.instance.hook.overran();
                self.term(moment, 0);
            }
        }
    }

    /// By the kubelet's rules the container is sent TERM. One that reports it itself is waited for.
    pub(super) fn term(&mut self, moment: TermMoment, left_seconds: u64) {
        if self.has_missed_its_turn() || self.holds_term(moment, left_seconds) {
            self.instance.hook.end(moment.latest());
            return;
        }
        match self.reports_term {
            ReportsTerm::No => self.send_term(moment, left_seconds),
            ReportsTerm::Yes => {
                self.instance.hook.end(moment.latest());
                self.instance.term.await_report(moment, left_seconds);
            }
        }
    }

    /// The container was sent TERM, once.
    pub(super) fn send_term(&mut self, moment: TermMoment, left_seconds: u64) {
        self.instance.hook.end(moment.latest());
        if self.has_missed_its_turn() {
            return;
        }
        if let Some(sent) = self.instance.term.send(moment, left_seconds) {
            self.add(moment.latest(), sent);
        }
    }

    fn add_finished(&mut self, at: Timestamp) {
        self.add(at, LifecycleEvent::PreStopFinished { exit_code: None });
    }
}
