//! How a container is stopped, by the kubelet's rules and by what is seen of them: its hook first, then TERM.

use jiff::Timestamp;

use super::super::pre_stop::{Hook, HookEnd};
use super::super::term::{TellsOfTerm, TermMoment};
use super::ContainerCourse;
use crate::model::timeline::LifecycleEvent;

impl ContainerCourse {
    /// The kubelet stops the container because of a probe and will start it again.
    pub(in crate::environment::kube) fn restarting(&mut self, now: Timestamp, reason: String) {
        self.tell(now, LifecycleEvent::Restarting { reason });
        self.stop(now);
    }

    /// The kubelet has begun to stop the container: its hook runs, or it is sent TERM.
    pub(in crate::environment::kube) fn stop(&mut self, now: Timestamp) {
        let (earliest, now) = self.span_of_hook(now);
        match self.hook {
            None => {
                let at = self.life.seen_end().map_or(now, |ended| ended.min(now));
                self.term(TermMoment::Between(earliest, at), self.grace_seconds);
            }
            Some(Hook::Exec(_) | Hook::Sleep(_)) => self.begin_hook(now, None),
            Some(Hook::Http) => {
                // The port answers at once or the hook fails; the kubelet tells of a failure only.
                self.begin_hook(now, None);
                self.tell_finished(now);
                self.term(TermMoment::Between(earliest, now), self.grace_seconds);
            }
        }
    }

    /// The kubelet says that the hook has failed.
    pub(in crate::environment::kube) fn hook_failed(&mut self, now: Timestamp, reason: String) {
        // A hook that is cut short by its container's end has overrun; the kubelet says that it failed as well.
        if self.life.hook.has_overrun() {
            return;
        }
        let (earliest, now) = self.span_of_hook(now);
        self.begin_hook(now, None);
        let at = self.life.hook.told_of_failure().unwrap_or(now);
        self.tell(at, LifecycleEvent::PreStopFailed { reason });
        let used = match self.life.hook.runs_since() {
            Some(_) => self.life.hook.used_seconds(now),
            None => 0,
        };
        let left = self.grace_seconds.saturating_sub(used);
        self.term(TermMoment::Between(earliest, now), left);
    }

    /// Nothing more will be heard of this life: what nobody saw of its hook is told as the rules have it.
    pub(in crate::environment::kube) fn conclude(&mut self) {
        if let Some(at) = self.life.hook.conclude() {
            self.tell_finished(at);
        }
    }

    /// The container itself says when it was sent TERM.
    pub(in crate::environment::kube) fn told_of_term(&mut self, now: Timestamp, at: Timestamp) {
        // Its clock may differ from this one: it is believed within what is possible.
        let at = at.clamp(self.deleted_at.unwrap_or(at).min(now), now);
        let used = self.life.hook.used_seconds(at);
        if self.life.hook.runs_since().is_some() {
            self.tell_finished(at);
        }
        let left = self.grace_seconds.saturating_sub(used);
        self.sent_term(TermMoment::Seen(at), left);
    }

    /// A process was started from outside: the hook's, unless it is a probe's.
    pub(super) fn entered(&mut self, now: Timestamp, process: i32, command: &[String]) {
        let Some(Hook::Exec(hook)) = &self.hook else {
            return;
        };
        let is_probe = || self.probe_commands.iter().any(|probe| probe == command);
        if command == hook || (self.deleted_at.is_some() && !is_probe()) {
            self.begin_hook(now, Some(process));
        }
    }

    /// A process that was started from outside has ended.
    pub(super) fn left(&mut self, now: Timestamp, process: i32) {
        if let Some(end) = self.life.hook.left(now, process, self.grace_seconds) {
            self.hook_ended(now, end);
        }
    }

    /// Returns the earliest moment of what is heard of a hook now, and the moment that it is placed at: where the container has ended
    /// meanwhile, it was before TERM.
    fn span_of_hook(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let earliest = self.deleted_at.unwrap_or(now);
        (earliest, if self.has_ended() { earliest } else { now })
    }

    fn begin_hook(&mut self, now: Timestamp, process: Option<i32>) {
        if let Some(event) = self.life.hook.begin(now, process) {
            self.tell(now, event);
        }
    }

    pub(super) fn hook_ended(&mut self, now: Timestamp, end: HookEnd) {
        match end {
            HookEnd::Finished { left_seconds } => {
                self.tell_finished(now);
                self.term(TermMoment::Seen(now), left_seconds);
            }
            HookEnd::Overran => {
                self.tell(now, LifecycleEvent::PreStopOverran);
                self.life.hook.overran();
                self.term(TermMoment::Seen(now), 0);
            }
        }
    }

    /// By the kubelet's rules the container is sent TERM. One that tells of it itself is waited for.
    pub(super) fn term(&mut self, moment: TermMoment, left_seconds: u64) {
        match self.tells_of_term {
            TellsOfTerm::No => self.sent_term(moment, left_seconds),
            TellsOfTerm::Yes => {
                self.life.hook.end(moment.latest());
                self.life.term.await_word(moment, left_seconds);
            }
        }
    }

    /// The container was sent TERM, once.
    pub(super) fn sent_term(&mut self, moment: TermMoment, left_seconds: u64) {
        self.life.hook.end(moment.latest());
        if let Some(sent) = self.life.term.send(moment, left_seconds) {
            self.tell(moment.latest(), sent);
        }
    }

    pub(super) fn tell_finished(&mut self, at: Timestamp) {
        self.tell(at, LifecycleEvent::PreStopFinished { exit_code: None });
    }
}
