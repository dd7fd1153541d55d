//! The timeline of one container of a pod: what its facts say, and what follows from them by the kubelet's rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

use super::fact::{ContainerFact, EndCause, Fact, KubeletSignal, Readiness};
use super::instance::{Instance, InstanceEnd};
use super::pre_stop::{Hook, HookEnd, Stopped};
use super::term::{LEAST_GRACE_SECONDS, ReportsTerm, TermMoment};
use crate::observe::ProcessChange;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;

mod stopping;

/// Between a moment and what was certainly before it.
const JUST_BEFORE: SignedDuration = SignedDuration::from_micros(1);

/// What follows from the facts of one container that were read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct ContainerTimeline {
    name: String,
    /// What the fact that is being read adds.
    events: Vec<TimelineEvent>,
    grace_seconds: u64,
    deleted_at: Option<Timestamp>,
    hook: Option<Hook>,
    has_startup_probe: bool,
    probe_commands: Vec<Vec<String>>,
    /// Whether the container reports TERM itself.
    pub(super) reports_term: ReportsTerm,
    readiness: Readiness,
    /// The instances whose start is in the timeline.
    started: BTreeSet<String>,
    /// The instances whose end is in the timeline.
    ended: BTreeSet<String>,
    /// The instances that the kernel has ended for want of memory.
    out_of_memory: BTreeSet<String>,
    /// The instance that was started last.
    instance: Instance,
}

impl ContainerTimeline {
    /// Begins with what the pod template says.
    pub(super) fn of(container: &Container, grace_seconds: u64) -> Self {
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
            reports_term: if container.name == PROXY_CONTAINER {
                ReportsTerm::Yes
            } else {
                ReportsTerm::No
            },
            probe_commands: probes
                .into_iter()
                .flatten()
                .filter_map(|probe| probe.exec.as_ref()?.command.clone())
                .collect(),
            ..Self::default()
        }
    }

    /// Returns what the fact that was read has added.
    pub(super) fn take_events(&mut self) -> impl Iterator<Item = TimelineEvent> + use<> {
        std::mem::take(&mut self.events).into_iter()
    }

    /// Returns whether the instance that was started last has ended, and how is known.
    pub(super) fn has_ended(&self) -> bool {
        self.instance.end == InstanceEnd::Known
    }

    /// Returns the runtime's id of the instance that was started last.
    pub(super) fn current_instance(&self) -> Option<String> {
        self.instance.id()
    }

    /// Returns whether the kubelet may still report the hook.
    pub(super) fn awaits_signal_of_hook(&self, now: Timestamp) -> bool {
        self.instance.hook.awaits_signal(now)
    }

    /// Returns whether time alone adds something by then.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let hook = self.hook.as_ref();
        self.instance.reported_end_is_due(now, self.reports_term)
            || self
                .instance
                .hook
                .end_by_time(now, hook, self.grace_seconds)
                .is_some()
    }

    /// The pod's deletion was asked for.
    pub(super) const fn delete(&mut self, at: Timestamp, grace_seconds: u64) {
        self.deleted_at = Some(at);
        self.grace_seconds = grace_seconds;
    }

    /// Reads what a status, the node or the container's log says.
    pub(super) fn read(&mut self, fact: &Fact, what: &ContainerFact) {
        let at = fact.latest;
        match what {
            ContainerFact::Lost { reason, known } => {
                // An instance that the status still knows of is not the lost one.
                if !known.iter().any(|id| self.instance.is_of(id)) {
                    self.lose(at, reason);
                }
            }
            ContainerFact::InstanceStarted { id, restart_count } => {
                if self.started.insert(id.clone()) {
                    self.begin_instance(fact, id, *restart_count);
                }
            }
            ContainerFact::InstanceEnded { id, status, cause } => {
                self.end_instance(fact, id, *status, *cause);
            }
            ContainerFact::StartupComplete => self.complete_startup(at),
            ContainerFact::Readiness(readiness) => {
                if *readiness != self.readiness {
                    self.readiness = *readiness;
                    let change = match readiness {
                        Readiness::Ready => LifecycleEvent::ContainerReady,
                        Readiness::NotReady => LifecycleEvent::ContainerNotReady,
                    };
                    self.add(at, change);
                }
            }
            ContainerFact::Process(change) => self.read_process(at, change),
            ContainerFact::TermReceived => self.receive_term(fact.heard_at, at),
        }
    }

    /// Reads an event of the kubelet, which is dated in whole seconds.
    pub(super) fn read_signal(
        &mut self,
        at: Timestamp,
        dated: Option<Timestamp>,
        signal: &KubeletSignal,
        times: i32,
    ) {
        // What comes late may be of an instance that has ended since.
        let is_current = dated.is_none_or(|dated| self.instance.may_be_of(dated));
        match signal {
            KubeletSignal::ProbeFailed { probe, message } => {
                self.fail_probe(at, *probe, message, times);
            }
            KubeletSignal::Restarts { reason } if is_current => self.restart(at, reason),
            KubeletSignal::Stops if is_current => self.stop(at),
            KubeletSignal::HookFailed { reason } if is_current => self.fail_hook(at, reason),
            KubeletSignal::Restarts { .. }
            | KubeletSignal::Stops
            | KubeletSignal::HookFailed { .. } => {}
        }
    }

    /// Time has passed.
    pub(super) fn pass_time(&mut self, now: Timestamp) {
        self.take_reported_end(now);
        let hook = self.hook.as_ref();
        let ended = { &self.instance.hook }.end_by_time(now, hook, self.grace_seconds);
        if let Some((lasted, end)) = ended {
            self.end_hook_by_time(now, lasted, end);
        }
    }

    fn complete_startup(&mut self, at: Timestamp) {
        if self.instance.startup_complete_at.is_some() {
            return;
        }
        self.instance.startup_complete_at = Some(at);
        if self.has_startup_probe {
            let succeeded = LifecycleEvent::Probed {
                probe: ProbeKind::Startup,
                success: true,
                detail: "the status says `started`".into(),
            };
            self.add(at, succeeded);
        }
        self.add(at, LifecycleEvent::StartupComplete);
    }

    /// A probe has failed, `times` times.
    fn fail_probe(&mut self, heard_at: Timestamp, probe: ProbeKind, detail: &str, times: i32) {
        // No startup probe is carried out after the one that succeeded: a failure that is heard of later was before it.
        let at = match (probe, self.instance.startup_complete_at) {
            (ProbeKind::Startup, Some(complete)) => heard_at.min(complete - JUST_BEFORE),
            (ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness, _) => heard_at,
        };
        for _ in 0..times {
            let failed = LifecycleEvent::Probed {
                probe,
                success: false,
                detail: detail.to_owned(),
            };
            self.add(at, failed);
        }
    }

    fn read_process(&mut self, at: Timestamp, change: &ProcessChange) {
        match change {
            ProcessChange::Begun => {}
            ProcessChange::Entered { process, command } => self.enter(at, *process, command),
            ProcessChange::Left { process } => self.leave(at, *process),
            ProcessChange::Ended => {
                self.instance.process_ended(at);
                // TERM was sent before; the kubelet may report that later.
                if let (Some(earliest), None) = (self.deleted_at, &self.hook) {
                    self.term(TermMoment::Between(earliest, at), self.grace_seconds);
                }
            }
            ProcessChange::EndedWith { exit_code } => {
                self.instance.report_end(at, *exit_code);
                self.take_reported_end(at);
            }
        }
    }

    /// An instance was started. What is not in the timeline yet of the one before it comes first.
    fn begin_instance(&mut self, fact: &Fact, id: &str, restart_count: u32) {
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
    fn end_instance(&mut self, fact: &Fact, id: &str, status: ExitStatus, cause: EndCause) {
        let is_current = self.instance.is_of(id);
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
    fn take_reported_end(&mut self, now: Timestamp) {
        let end = self.instance.take_reported_end(now, self.reports_term);
        if let (Some(end), Some(current)) = (end, self.instance.id()) {
            self.exit(now, end.at, &current, end.status);
        }
    }

    /// An instance has ended, as is heard now; it ends once.
    fn exit(&mut self, heard_at: Timestamp, at: Timestamp, id: &str, status: ExitStatus) {
        if !self.ended.insert(id.to_owned()) {
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
    fn lose(&mut self, heard_at: Timestamp, reason: &str) {
        match self.instance.end {
            InstanceEnd::Known | InstanceEnd::Lost => {}
            InstanceEnd::None => {
                self.instance.end = InstanceEnd::Lost;
                let unknown = LifecycleEvent::EndUnknown {
                    reason: reason.to_owned(),
                };
                self.add(self.instance.seen_end().unwrap_or(heard_at), unknown);
            }
        }
    }

    fn add(&mut self, at: Timestamp, event: LifecycleEvent) {
        self.events.push(TimelineEvent {
            at,
            container: Some(self.name.clone()),
            event,
        });
    }
}
