//! The timeline of one container of a pod: what its facts say, and what follows from them by the kubelet's rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

use self::turn::Turn;
use super::fact::{ContainerFact, Fact, KubeletSignal, Readiness};
use super::instance::{Instance, InstanceEnd};
use super::pre_stop::Hook;
use super::term::{ReportsTerm, TermMoment};
use crate::observe::ProcessChange;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;

mod ending;
mod stopping;
mod turn;

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
    /// Whether it is a native sidecar, which is ended after what it serves.
    is_sidecar: bool,
    turn: Turn,
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
    pub(super) fn delete(&mut self, at: Timestamp, grace_seconds: u64) {
        self.deleted_at = Some(at);
        self.grace_seconds = grace_seconds;
        // What is deleted by force has nothing to wait in.
        if self.is_sidecar && grace_seconds > 0 {
            self.turn = Turn::Awaited {
                term: None,
                exit: None,
            };
        }
    }

    /// It is a native sidecar.
    #[must_use]
    pub(super) fn into_sidecar(self) -> Self {
        Self {
            is_sidecar: true,
            ..self
        }
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

    fn add(&mut self, at: Timestamp, event: LifecycleEvent) {
        self.events.push(TimelineEvent {
            at,
            container: Some(self.name.clone()),
            event,
        });
    }
}
