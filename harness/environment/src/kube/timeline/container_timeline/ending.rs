//! Where an instance of a container begins and how it ends, from all that is known of its hook and its TERM.

use jiff::Timestamp;

use super::ContainerTimeline;
use crate::kube::timeline::fact::{EndCause, Fact};
use crate::kube::timeline::instance::{Instance, InstanceEnd};
use crate::kube::timeline::pre_stop::{HookEnd, Stopped};
use crate::kube::timeline::term::{LEAST_GRACE_SECONDS, TermMoment};
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};

impl ContainerTimeline {
    /// An instance was started. What is not in the timeline yet of the one before it comes first.
    pub(super) fn begin_instance(&mut self, fact: &Fact, id: &str, restart_count: u32) {
        self.end_before_restart();
        if let (Some(end), Some(before)) = (self.instance.settle(), self.instance.id()) {
            self.exit(fact.heard_at, end.at, &before, end.status);
        }
        self.conclude();
        let at = fact.latest;
        if self.instance.id().is_some() {
            // A status has the last two instances only, and one that ends at once may be removed before any status shows its end.
            self.lose(at, "the kubelet reported the next start and not its end");
        }
        if restart_count > 0 {
            let reason = "it had ended".into();
            self.add(at, LifecycleEvent::Restarting { reason });
        }
        self.add(at, LifecycleEvent::Started { restart_count });
        self.instance = Instance::of(id, fact.earliest);
    }

    /// A status says that an instance has ended.
    pub(super) fn end_instance(
        &mut self,
        fact: &Fact,
        id: &str,
        status: ExitStatus,
        cause: EndCause,
    ) {
        let is_current = self.instance.is_of(id);
        if is_current {
            let earliest = fact.earliest.unwrap_or(fact.latest);
            self.instance.ended_between = Some((earliest, fact.latest));
        }
        let seen = self.instance.seen_end().filter(|_| is_current);
        let at = seen.unwrap_or(fact.latest);
        match cause {
            EndCause::OutOfMemory => {
                if self.out_of_memory.insert(id.to_owned()) {
                    self.add(at, LifecycleEvent::OutOfMemory);
                }
            }
            EndCause::Other => {}
        }
        self.exit(fact.heard_at, at, id, status);
    }

    /// Believes what the runtime reports of the end, once the container itself has had the time to report its TERM.
    pub(super) fn take_reported_end(&mut self, now: Timestamp) {
        let end = self.instance.take_reported_end(now, self.reports_term);
        if let (Some(end), Some(current)) = (end, self.instance.id()) {
            self.exit(now, end.at, &current, end.status);
        }
    }

    /// An instance has ended, as is heard now; it ends once.
    pub(super) fn exit(
        &mut self,
        heard_at: Timestamp,
        at: Timestamp,
        id: &str,
        status: ExitStatus,
    ) {
        if self.holds_exit(heard_at, at, id, status) || !self.ended.insert(id.to_owned()) {
            return;
        }
        if !self.instance.is_of(id) {
            // Another one has been started since: what is known of that one's hook and TERM says nothing of this end.
            self.add(at, LifecycleEvent::Exited(status));
            return;
        }
        self.instance.end = InstanceEnd::Known;
        if self.instance.hook.has_used_up(at, self.grace_seconds) {
            self.end_hook_by_time(at, self.grace_seconds, HookEnd::Overran);
        }
        let since = self.instance.hook.runs_since();
        // Without a grace period no hook runs.
        let stopped = match self.deleted_at {
            Some(deleted_at) if at >= deleted_at && self.grace_seconds > 0 => Stopped::Yes,
            Some(_) | None => Stopped::No,
        };
        let hook = self.hook.as_ref();
        self.instance
            .hook
            .container_ended(heard_at, at, hook, stopped);
        if let Some(since) = since {
            // The hook's end was not observed; it was before TERM, and TERM was before this.
            self.send_term(TermMoment::Between(since, at), LEAST_GRACE_SECONDS);
        }
        if let Some((moment, left)) = self.instance.term.take_by_the_rules() {
            // The container was to report it and did not.
            self.send_term(moment.no_later_than(at), left);
        }
        if let Some(earliest) = self.deleted_at {
            // The kubelet may report the hook and TERM later.
            let moment = TermMoment::Between(earliest, at).no_later_than(at);
            self.send_term(moment, LEAST_GRACE_SECONDS);
        }
        let term = self.instance.term.sent();
        let at = term.map_or(at, |term| at.max(term));
        if status.as_container_exit_code() == 137 && term.is_some() {
            self.add(at, LifecycleEvent::KillSent);
        }
        self.add(at, LifecycleEvent::Exited(status));
    }

    /// The kubelet finds the container no more; only its node may have seen when it ended.
    pub(super) fn lose(&mut self, heard_at: Timestamp, reason: &str) {
        match self.instance.end {
            InstanceEnd::Known | InstanceEnd::Lost => {}
            InstanceEnd::None => {
                self.instance.end = InstanceEnd::Lost;
                let heard = (heard_at, heard_at);
                self.instance.ended_between.get_or_insert(heard);
                let unknown = LifecycleEvent::EndUnknown {
                    reason: reason.to_owned(),
                };
                self.add(self.instance.seen_end().unwrap_or(heard_at), unknown);
            }
        }
    }
}
