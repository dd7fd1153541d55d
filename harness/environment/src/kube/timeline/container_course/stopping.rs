//! How a container is stopped, by the kubelet's rules and by what is seen of them: its hook first, then TERM.

use jiff::{SignedDuration, Timestamp};

use super::{ContainerCourse, StopWord};
use crate::kube::timeline::pre_stop::{Hook, HookEnd, LastWord};
use crate::kube::timeline::term::{TellsOfTerm, TermMoment};
use harness_core::model::timeline::LifecycleEvent;

impl ContainerCourse {
    /// The kubelet stops the container because of a probe and will start it again.
    pub(in crate::kube) fn restarting(&mut self, now: Timestamp, reason: String) {
        self.tell(now, LifecycleEvent::Restarting { reason });
        self.stop(now);
    }

    /// The kubelet tells of the container's stop.
    pub(in crate::kube) fn hear(&mut self, now: Timestamp, word: StopWord) {
        match word {
            StopWord::Stops => self.stop(now),
            StopWord::HookFailed { reason } => self.hook_failed(now, reason),
        }
    }

    /// The kubelet has begun to stop the container: its hook runs, or it is sent TERM.
    fn stop(&mut self, now: Timestamp) {
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
                if self.life.hook.runs_since().is_some() {
                    let left_seconds = self.grace_seconds;
                    let end = HookEnd::Finished { left_seconds };
                    self.hook_ended(TermMoment::Between(earliest, now), end);
                }
            }
        }
    }

    /// The kubelet says that the hook has failed.
    fn hook_failed(&mut self, now: Timestamp, reason: String) {
        // A hook that is cut short by its deadline has overrun; the kubelet says that it failed as well.
        let (earliest, now) = self.span_of_hook(now);
        if self.life.hook.has_used_up(now, self.grace_seconds) {
            self.hook_ended_by_time(now, self.grace_seconds, HookEnd::Overran);
        }
        if self.life.hook.has_overrun() {
            return;
        }
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
    pub(in crate::kube) fn conclude(&mut self) {
        match self.life.hook.conclude() {
            Some(LastWord::Finished(at)) => self.tell_finished(at),
            Some(LastWord::Unseen(at)) => {
                let reason = "nobody saw its preStop hook run".into();
                self.tell(at, LifecycleEvent::EndUnknown { reason });
            }
            None => {}
        }
    }

    /// The container itself says when it was sent TERM.
    pub(in crate::kube) fn told_of_term(&mut self, now: Timestamp, at: Timestamp) {
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
    pub(super) fn process_left(&mut self, now: Timestamp, process: i32) {
        if let Some(end) = self.life.hook.left(now, process, self.grace_seconds) {
            self.hook_ended(TermMoment::Seen(now), end);
        }
    }

    /// Only time tells that a hook has ended. It may have begun earlier than was heard, but not before the deletion.
    pub(super) fn hook_ended_by_time(&mut self, now: Timestamp, lasted_seconds: u64, end: HookEnd) {
        let lasted = SignedDuration::from_secs(i64::try_from(lasted_seconds).unwrap_or(i64::MAX));
        let earliest = self
            .deleted_at
            .and_then(|deleted| deleted.checked_add(lasted).ok())
            .map_or(now, |earliest| earliest.min(now));
        self.hook_ended(TermMoment::Between(earliest, now), end);
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

    /// The hook has ended, and TERM was sent at that moment.
    pub(super) fn hook_ended(&mut self, moment: TermMoment, end: HookEnd) {
        match end {
            HookEnd::Finished { left_seconds } => {
                self.tell_finished(moment.latest());
                self.term(moment, left_seconds);
            }
            HookEnd::Overran => {
                self.tell(moment.latest(), LifecycleEvent::PreStopOverran);
                self.life.hook.overran();
                self.term(moment, 0);
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
