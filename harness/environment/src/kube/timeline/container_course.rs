//! What has been seen of one container of a pod, and what follows from it by the kubelet's rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

use crate::kube::api::status::{ContainerView, Instance};
use crate::kube::timeline::life::{Life, LifeEnd};
use crate::kube::timeline::pre_stop::{Hook, HookEnd, Stopped};
use crate::kube::timeline::term::{LEAST_GRACE_SECONDS, TellsOfTerm, TermMoment};
use crate::observe::ProcessChange;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;

mod stopping;

/// A status tells whole seconds: the moment lies within this time after it.
const STATUS_RESOLUTION: SignedDuration = SignedDuration::from_millis(999);
/// Between a moment and what was certainly before it.
const JUST_BEFORE: SignedDuration = SignedDuration::from_micros(1);
/// What the kubelet calls the end of a container that took more memory than its limit.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// What the kubelet says of a container that it stops.
#[derive(Clone, Debug)]
pub(super) enum StopWord {
    /// It begins with it.
    Stops,
    /// The preStop hook has failed.
    HookFailed { reason: String },
}

/// The course of one container. What happens is told into an outbox, in order.
#[derive(Debug, Default)]
pub(super) struct ContainerCourse {
    name: String,
    outbox: Vec<TimelineEvent>,
    grace_seconds: u64,
    deleted_at: Option<Timestamp>,
    hook: Option<Hook>,
    has_startup_probe: bool,
    probe_commands: Vec<Vec<String>>,
    /// Whether the container tells of TERM itself.
    pub(super) tells_of_term: TellsOfTerm,
    ready: bool,
    /// The instances of which the start was told.
    started: BTreeSet<String>,
    /// The instances of which the end was told.
    ended: BTreeSet<String>,
    /// The instances that the kernel has ended for want of memory.
    out_of_memory: BTreeSet<String>,
    /// The life that began last.
    life: Life,
}

impl ContainerCourse {
    /// Begins with what the pod template says.
    pub(in crate::kube) fn of(container: &Container, grace_seconds: u64) -> Self {
        let probes = [
            &container.startup_probe,
            &container.readiness_probe,
            &container.liveness_probe,
        ];
        Self {
            name: container.name.clone(),
            grace_seconds,
            hook: Hook::of(container),
            has_startup_probe: container.startup_probe.is_some(),
            tells_of_term: if container.name == PROXY_CONTAINER {
                TellsOfTerm::Yes
            } else {
                TellsOfTerm::No
            },
            probe_commands: probes
                .into_iter()
                .flatten()
                .filter_map(|probe| probe.exec.as_ref()?.command.clone())
                .collect(),
            ..Self::default()
        }
    }

    /// Returns what has happened since the last time.
    pub(super) fn take_events(&mut self) -> impl Iterator<Item = TimelineEvent> + use<> {
        std::mem::take(&mut self.outbox).into_iter()
    }

    /// Tells whether the instance that was started last has ended, and how is known.
    pub(in crate::kube) fn has_ended(&self) -> bool {
        self.life.end == LifeEnd::Known
    }

    /// Tells whether what the kubelet told of at that moment, which is in whole seconds, can be of the instance that was started last.
    pub(super) fn can_be_told_of(&self, told_at: Timestamp) -> bool {
        self.life
            .started_at
            .is_none_or(|started_at| told_at >= started_at)
    }

    /// Returns the runtime's id of the instance that was started last.
    pub(super) fn current_instance(&self) -> Option<String> {
        self.life.instance()
    }

    /// Tells whether the kubelet may still tell of the hook.
    pub(super) fn awaits_word_of_hook(&self, now: Timestamp) -> bool {
        self.life.hook.awaits_word(now)
    }

    /// The pod's deletion was asked for.
    pub(in crate::kube) const fn deletion(&mut self, at: Timestamp, grace_seconds: u64) {
        self.deleted_at = Some(at);
        self.grace_seconds = grace_seconds;
    }

    /// Takes in what a status says.
    pub(in crate::kube) fn status(&mut self, now: Timestamp, view: &ContainerView) {
        // An instance that the status still knows of is not the lost one.
        let is_known = |instance: &Instance| self.life.is_of(&instance.id);
        if let Some(reason) = &view.lost
            && !view.instances.iter().any(is_known)
        {
            self.lost(now, reason);
        }
        for instance in &view.instances {
            self.instance(now, instance);
        }
        if view.started && self.life.startup_complete_at.is_none() {
            self.life.startup_complete_at = Some(now);
            if self.has_startup_probe {
                let succeeded = LifecycleEvent::Probed {
                    probe: ProbeKind::Startup,
                    success: true,
                    detail: "the status says `started`".into(),
                };
                self.tell(now, succeeded);
            }
            self.tell(now, LifecycleEvent::StartupComplete);
        }
        if view.ready != self.ready {
            self.ready = view.ready;
            let change = if view.ready {
                LifecycleEvent::ContainerReady
            } else {
                LifecycleEvent::ContainerNotReady
            };
            self.tell(now, change);
        }
    }

    /// A probe has failed, `times` times.
    pub(super) fn probe_failed(
        &mut self,
        now: Timestamp,
        probe: ProbeKind,
        detail: &str,
        times: i32,
    ) {
        // No startup probe is carried out after the one that succeeded: a failure that is heard of later was before it.
        let at = match (probe, self.life.startup_complete_at) {
            (ProbeKind::Startup, Some(complete)) => now.min(complete - JUST_BEFORE),
            (ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness, _) => now,
        };
        for _ in 0..times {
            let failed = LifecycleEvent::Probed {
                probe,
                success: false,
                detail: detail.to_owned(),
            };
            self.tell(at, failed);
        }
    }

    /// Takes in what a process of the container did.
    pub(in crate::kube) fn process(&mut self, now: Timestamp, change: &ProcessChange) {
        match change {
            ProcessChange::Begun => {}
            ProcessChange::Entered { process, command } => self.entered(now, *process, command),
            ProcessChange::Left { process } => self.process_left(now, *process),
            ProcessChange::Ended => {
                self.life.process_ended(now);
                // TERM was sent before; the kubelet's own word may come later.
                if let (Some(earliest), None) = (self.deleted_at, &self.hook) {
                    self.term(TermMoment::Between(earliest, now), self.grace_seconds);
                }
            }
            ProcessChange::EndedWith { exit_code } => {
                self.life.told_of_end(now, *exit_code);
                self.take_told_end(now);
            }
        }
    }

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.take_told_end(now);
        let hook = self.hook.as_ref();
        if let Some((lasted, end)) = self.life.hook.tick(now, hook, self.grace_seconds) {
            self.hook_ended_by_time(now, lasted, end);
        }
    }

    fn instance(&mut self, now: Timestamp, instance: &Instance) {
        if self.started.insert(instance.id.clone()) {
            self.begin_life(now, instance);
        }
        let Some((status, finished_at)) = instance.end else {
            return;
        };
        let is_current = self.life.is_of(&instance.id);
        let seen = self.life.seen_end().filter(|_| is_current);
        let at = seen.unwrap_or_else(|| moment(now, finished_at));
        if instance.reason.as_deref() == Some(OUT_OF_MEMORY)
            && self.out_of_memory.insert(instance.id.clone())
        {
            self.tell(at, LifecycleEvent::OutOfMemory);
        }
        self.exited(now, at, &instance.id, status);
    }

    /// An instance was started. What was not told yet of the one before it is told first.
    fn begin_life(&mut self, now: Timestamp, instance: &Instance) {
        if let (Some(told), Some(before)) = (self.life.settle(), self.life.instance()) {
            self.exited(now, told.at, &before, told.status);
        }
        self.conclude();
        let at = moment(now, instance.started_at);
        if self.life.instance().is_some() {
            // The kubelet tells of the last two instances only, and one that ends at once may be removed before anybody has looked.
            self.lost(at, "the kubelet told of the next start and not of its end");
        }
        if instance.restart_count > 0 {
            let reason = "it had ended".into();
            self.tell(at, LifecycleEvent::Restarting { reason });
        }
        let restart_count = instance.restart_count;
        self.tell(at, LifecycleEvent::Started { restart_count });
        self.life = Life::of(&instance.id, instance.started_at);
    }

    /// Believes the runtime's word of the container's end, once the container itself has had the time to tell of its TERM.
    fn take_told_end(&mut self, now: Timestamp) {
        let told = self.life.take_told_end(now, self.tells_of_term);
        if let (Some(told), Some(current)) = (told, self.life.instance()) {
            self.exited(now, told.at, &current, told.status);
        }
    }

    /// An instance has ended, as is heard now; it is told of once.
    fn exited(&mut self, now: Timestamp, at: Timestamp, id: &str, status: ExitStatus) {
        if !self.ended.insert(id.to_owned()) {
            return;
        }
        if !self.life.is_of(id) {
            // Another one has been started since: what is known of that one's hook and TERM says nothing of this end.
            self.tell(at, LifecycleEvent::Exited(status));
            return;
        }
        self.life.end = LifeEnd::Known;
        if self.life.hook.has_used_up(at, self.grace_seconds) {
            self.hook_ended_by_time(at, self.grace_seconds, HookEnd::Overran);
        }
        let since = self.life.hook.runs_since();
        // Without a grace period no hook runs.
        let stopped = match self.deleted_at {
            Some(deleted_at) if at >= deleted_at && self.grace_seconds > 0 => Stopped::Yes,
            Some(_) | None => Stopped::No,
        };
        self.life
            .hook
            .container_ended(now, at, self.hook.as_ref(), stopped);
        if let Some(since) = since {
            // Nobody saw the hook end; it did before TERM, and TERM was before this.
            self.sent_term(TermMoment::Between(since, at), LEAST_GRACE_SECONDS);
        }
        if let Some((moment, left)) = self.life.term.take_untold() {
            // The container was to tell of it and did not.
            self.sent_term(moment.no_later_than(at), left);
        }
        if let Some(earliest) = self.deleted_at {
            // The kubelet's own word of the hook and of TERM may come later.
            let moment = TermMoment::Between(earliest, at).no_later_than(at);
            self.sent_term(moment, LEAST_GRACE_SECONDS);
        }
        let term = self.life.term.sent();
        let at = term.map_or(at, |term| at.max(term));
        if status.as_container_exit_code() == 137 && term.is_some() {
            self.tell(at, LifecycleEvent::KillSent);
        }
        self.tell(at, LifecycleEvent::Exited(status));
    }

    /// The kubelet finds the container no more; only its node may have seen when it ended.
    fn lost(&mut self, now: Timestamp, reason: &str) {
        match self.life.end {
            LifeEnd::Known | LifeEnd::Lost => {}
            LifeEnd::None => {
                self.life.end = LifeEnd::Lost;
                let unknown = LifecycleEvent::EndUnknown {
                    reason: reason.to_owned(),
                };
                self.tell(self.life.seen_end().unwrap_or(now), unknown);
            }
        }
    }

    fn tell(&mut self, at: Timestamp, event: LifecycleEvent) {
        self.outbox.push(TimelineEvent {
            at,
            container: Some(self.name.clone()),
            event,
        });
    }
}

/// Returns the moment that fits both the time of a status, which is in whole seconds, and when it was seen.
pub(in crate::kube) fn moment(seen: Timestamp, told: Option<Timestamp>) -> Timestamp {
    let Some(told) = told else {
        return seen;
    };
    let latest = told.checked_add(STATUS_RESOLUTION).unwrap_or(told);
    seen.clamp(told, latest)
}
