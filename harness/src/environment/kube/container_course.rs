//! What has been seen of one container of a pod, and what follows from it by the kubelet's rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

use super::pre_stop::{Hook, HookState, has_used_up, seconds_between, whole_seconds};
use super::status::{ContainerView, Instance};
use crate::environment::observe::ProcessChange;
use crate::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};
use crate::stack::PROXY_CONTAINER;

/// What is left to a container of which the hook has used the grace period up, in seconds.
pub(super) const LEAST_GRACE_SECONDS: u64 = 2;
/// A status tells whole seconds: the moment lies within this time after it.
const STATUS_RESOLUTION: SignedDuration = SignedDuration::from_millis(999);
/// Between a moment and what was certainly before it.
const JUST_BEFORE: SignedDuration = SignedDuration::from_micros(1);
/// How long the last lines of a container's log may come after the word of its end.
const LAST_WORDS_WITHIN: SignedDuration = SignedDuration::from_secs(1);

/// Whether a container is a better witness of its TERM than the kubelet's rules are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum TellsOfTerm {
    #[default]
    No,
    Yes,
}

/// What is known of the moment of TERM.
#[derive(Clone, Copy, Debug)]
enum TermMoment {
    /// It was seen.
    Seen(Timestamp),
    /// It lies between the two.
    Between(Timestamp, Timestamp),
}

impl TermMoment {
    const fn latest(self) -> Timestamp {
        match self {
            Self::Seen(at) | Self::Between(_, at) => at,
        }
    }

    /// What is known once it is certain that TERM was sent by then.
    fn no_later_than(self, end: Timestamp) -> Self {
        match self {
            Self::Seen(at) => Self::Seen(at.min(end)),
            Self::Between(earliest, latest) => Self::Between(earliest.min(end), latest.min(end)),
        }
    }
}

/// A container's end as the node's runtime tells of it.
#[derive(Debug)]
struct ToldEnd {
    at: Timestamp,
    told_at: Timestamp,
    status: ExitStatus,
}

/// What the kubelet calls the end of a container that took more memory than its limit.
const OUT_OF_MEMORY: &str = "OOMKilled";

/// The course of one container. What happens is told into an outbox, in order.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something that was told of and is not told again"
)]
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
    started: BTreeSet<String>,
    /// The instance that was started last.
    current: Option<String>,
    ended: BTreeSet<String>,
    /// The instances that the kernel has ended for want of memory.
    out_of_memory: BTreeSet<String>,
    startup_complete_at: Option<Timestamp>,
    ready: bool,
    hook_state: HookState,
    /// When it was sent TERM: the latest moment, where nobody saw it.
    term_sent: Option<Timestamp>,
    /// What the rules say of a TERM that the container has not told of yet, and the seconds that it then has.
    untold_term: Option<(TermMoment, u64)>,
    overran: bool,
    /// Whether the hook's end was not seen and only follows from the container's.
    hook_end_is_guessed: bool,
    lost: bool,
    process_ended: Option<Timestamp>,
    told_end: Option<ToldEnd>,
}

impl ContainerCourse {
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
    pub(super) fn has_ended(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| self.ended.contains(current))
    }

    /// Tells whether the hook was not seen to end: the kubelet may still tell of its failure.
    pub(super) const fn awaits_word_of_hook(&self) -> bool {
        self.hook_end_is_guessed
    }

    /// The pod's deletion was asked for.
    pub(super) const fn deletion(&mut self, at: Timestamp, grace_seconds: u64) {
        self.deleted_at = Some(at);
        self.grace_seconds = grace_seconds;
    }

    /// Takes in what a status says.
    pub(super) fn status(&mut self, now: Timestamp, view: &ContainerView) {
        for instance in &view.instances {
            self.instance(now, instance);
        }
        if let Some(reason) = &view.lost {
            self.lost(now, reason);
        }
        if view.started && self.startup_complete_at.is_none() {
            self.startup_complete_at = Some(now);
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
        let at = match (probe, self.startup_complete_at) {
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

    /// The kubelet stops the container because of a probe and will start it again.
    pub(super) fn restarting(&mut self, now: Timestamp, reason: String) {
        self.tell(now, LifecycleEvent::Restarting { reason });
        self.stop(now);
    }

    /// The kubelet has begun to stop the container: its hook runs, or it is sent TERM.
    pub(super) fn stop(&mut self, now: Timestamp) {
        let (earliest, now) = self.span_of_hook(now);
        match self.hook {
            None => {
                let at = self.process_ended.map_or(now, |ended| ended.min(now));
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
    pub(super) fn hook_failed(&mut self, now: Timestamp, reason: String) {
        // A hook that is cut short by its container's end has overrun; the kubelet says that it failed as well.
        if self.overran {
            return;
        }
        let (earliest, now) = self.span_of_hook(now);
        self.hook_end_is_guessed = false;
        self.begin_hook(now, None);
        self.tell(now, LifecycleEvent::PreStopFailed { reason });
        let used = match self.hook_state {
            HookState::Runs { since, .. } => seconds_between(since, now),
            HookState::NotBegun | HookState::Over { .. } => 0,
        };
        let left = self.grace_seconds.saturating_sub(used);
        self.term(TermMoment::Between(earliest, now), left);
    }

    /// The container itself says when it was sent TERM.
    pub(super) fn told_of_term(&mut self, now: Timestamp, at: Timestamp) {
        // Its clock may differ from this one: it is believed within what is possible.
        let at = at.clamp(self.deleted_at.unwrap_or(at).min(now), now);
        let used = match self.hook_state {
            HookState::Runs { since, .. } | HookState::Over { since } => seconds_between(since, at),
            HookState::NotBegun => 0,
        };
        if let HookState::Runs { .. } = self.hook_state {
            self.tell_finished(at);
        }
        let left = self.grace_seconds.saturating_sub(used);
        self.sent_term(TermMoment::Seen(at), left);
    }

    /// Takes in what a process of the container did.
    pub(super) fn process(&mut self, now: Timestamp, change: &ProcessChange) {
        match change {
            ProcessChange::Begun => {}
            ProcessChange::Entered { process, command } => self.entered(now, *process, command),
            ProcessChange::Left { process } => self.left(now, *process),
            ProcessChange::Ended => {
                self.process_ended = Some(now);
                // TERM was sent before; the kubelet's own word may come later.
                if let (Some(earliest), None) = (self.deleted_at, &self.hook) {
                    self.term(TermMoment::Between(earliest, now), self.grace_seconds);
                }
            }
            ProcessChange::EndedWith { exit_code } => {
                self.told_end = Some(ToldEnd {
                    at: self.process_ended.unwrap_or(now),
                    told_at: now,
                    status: ExitStatus::Code(*exit_code),
                });
                self.take_told_end(now);
            }
        }
    }

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.take_told_end(now);
        let HookState::Runs { since, .. } = self.hook_state else {
            return;
        };
        let used = now.duration_since(since);
        if used >= whole_seconds(self.grace_seconds) {
            self.overrun(now);
        } else if let Some(Hook::Sleep(seconds)) = self.hook
            && used >= whole_seconds(seconds)
        {
            self.tell_finished(now);
            let left = self.grace_seconds.saturating_sub(seconds);
            self.term(TermMoment::Seen(now), left);
        }
    }

    fn instance(&mut self, now: Timestamp, instance: &Instance) {
        if self.started.insert(instance.id.clone()) {
            let at = moment(now, instance.started_at);
            if instance.restart_count > 0 {
                let reason = "it had ended".into();
                self.tell(at, LifecycleEvent::Restarting { reason });
            }
            let restart_count = instance.restart_count;
            self.tell(at, LifecycleEvent::Started { restart_count });
            self.current = Some(instance.id.clone());
            self.startup_complete_at = None;
            self.hook_state = HookState::NotBegun;
            self.hook_end_is_guessed = false;
            self.term_sent = None;
            self.untold_term = None;
            self.process_ended = None;
        }
        let Some((status, finished_at)) = instance.end else {
            return;
        };
        let seen = self.process_ended;
        let at = seen.unwrap_or_else(|| moment(now, finished_at));
        if instance.reason.as_deref() == Some(OUT_OF_MEMORY)
            && self.out_of_memory.insert(instance.id.clone())
        {
            self.tell(at, LifecycleEvent::OutOfMemory);
        }
        self.exited(at, &instance.id, status);
    }

    /// Believes the runtime's word of the container's end, once the container itself has had the time to tell of its TERM.
    fn take_told_end(&mut self, now: Timestamp) {
        let waits = |told: &ToldEnd| {
            self.tells_of_term == TellsOfTerm::Yes
                && self.term_sent.is_none()
                && now.duration_since(told.told_at) < LAST_WORDS_WITHIN
        };
        let Some(told) = self.told_end.take_if(|told| !waits(told)) else {
            return;
        };
        if let Some(current) = self.current.clone() {
            self.exited(told.at, &current, told.status);
        }
    }

    /// An instance has ended; it is told of once.
    fn exited(&mut self, at: Timestamp, id: &str, status: ExitStatus) {
        if !self.ended.insert(id.to_owned()) {
            return;
        }
        self.process_ended = None;
        self.hook_end_is_guessed = match self.hook_state {
            HookState::NotBegun => self.hook.is_some(),
            HookState::Runs { .. } => true,
            HookState::Over { .. } => false,
        };
        if let HookState::Runs { since, .. } = self.hook_state {
            // Nobody saw the hook end; it did before TERM, and TERM was before this.
            self.tell_finished(at);
            self.sent_term(TermMoment::Between(since, at), LEAST_GRACE_SECONDS);
        }
        if let Some((moment, left)) = self.untold_term.take() {
            // The container was to tell of it and did not.
            self.sent_term(moment.no_later_than(at), left);
        }
        if let Some(earliest) = self.deleted_at {
            // The kubelet's own word of the hook and of TERM may come later.
            let moment = TermMoment::Between(earliest, at).no_later_than(at);
            self.sent_term(moment, LEAST_GRACE_SECONDS);
        }
        let at = self.term_sent.map_or(at, |term| at.max(term));
        if status.as_container_exit_code() == 137 && self.term_sent.is_some() {
            self.tell(at, LifecycleEvent::KillSent);
        }
        self.tell(at, LifecycleEvent::Exited(status));
    }

    /// The kubelet finds the container no more; only its node may have seen when it ended.
    fn lost(&mut self, now: Timestamp, reason: &str) {
        if self.has_ended() || std::mem::replace(&mut self.lost, true) {
            return;
        }
        let unknown = LifecycleEvent::EndUnknown {
            reason: reason.to_owned(),
        };
        self.tell(self.process_ended.unwrap_or(now), unknown);
    }

    /// A process was started from outside: the hook's, unless it is a probe's.
    fn entered(&mut self, now: Timestamp, process: i32, command: &[String]) {
        let Some(Hook::Exec(hook)) = &self.hook else {
            return;
        };
        let is_probe = || self.probe_commands.iter().any(|probe| probe == command);
        if command == hook || (self.deleted_at.is_some() && !is_probe()) {
            self.begin_hook(now, Some(process));
        }
    }

    /// A process that was started from outside has ended.
    fn left(&mut self, now: Timestamp, process: i32) {
        let HookState::Runs {
            since,
            process: Some(own),
        } = self.hook_state
        else {
            return;
        };
        if own != process {
            return;
        }
        let used = now.duration_since(since);
        if has_used_up(used, self.grace_seconds) {
            self.overrun(now);
        } else {
            self.tell_finished(now);
            let used = seconds_between(since, now);
            let left = self.grace_seconds.saturating_sub(used);
            self.term(TermMoment::Seen(now), left);
        }
    }

    /// Returns the earliest moment of what is heard of a hook now, and the moment that it is placed at: where the container has ended
    /// meanwhile, it was before TERM.
    fn span_of_hook(&self, now: Timestamp) -> (Timestamp, Timestamp) {
        let earliest = self.deleted_at.unwrap_or(now);
        (earliest, if self.has_ended() { earliest } else { now })
    }

    fn begin_hook(&mut self, now: Timestamp, process: Option<i32>) {
        match &mut self.hook_state {
            HookState::NotBegun => {
                self.hook_state = HookState::Runs {
                    since: now,
                    process,
                };
                self.tell(now, LifecycleEvent::PreStopStarted);
            }
            HookState::Runs { process: known, .. } => *known = known.or(process),
            HookState::Over { .. } => {}
        }
    }

    /// The hook has used the grace period up.
    fn overrun(&mut self, now: Timestamp) {
        self.tell(now, LifecycleEvent::PreStopOverran);
        self.overran = true;
        self.term(TermMoment::Seen(now), 0);
    }

    /// By the kubelet's rules the container is sent TERM. One that tells of it itself is waited for.
    fn term(&mut self, moment: TermMoment, left_seconds: u64) {
        match self.tells_of_term {
            TellsOfTerm::No => self.sent_term(moment, left_seconds),
            TellsOfTerm::Yes => {
                self.end_hook(moment.latest());
                self.untold_term.get_or_insert((moment, left_seconds));
            }
        }
    }

    /// The container was sent TERM, once.
    fn sent_term(&mut self, moment: TermMoment, left_seconds: u64) {
        self.end_hook(moment.latest());
        if self.term_sent.is_some() {
            return;
        }
        self.term_sent = Some(moment.latest());
        let sent = LifecycleEvent::TermSent {
            not_before: match moment {
                TermMoment::Seen(_) => None,
                TermMoment::Between(earliest, latest) => (earliest < latest).then_some(earliest),
            },
            kill_after_milliseconds: left_seconds.max(LEAST_GRACE_SECONDS).saturating_mul(1000),
        };
        self.tell(moment.latest(), sent);
    }

    fn end_hook(&mut self, now: Timestamp) {
        if let HookState::Runs { since, .. } = self.hook_state {
            self.hook_state = HookState::Over {
                since: since.min(now),
            };
        }
    }

    fn tell_finished(&mut self, at: Timestamp) {
        self.tell(at, LifecycleEvent::PreStopFinished { exit_code: None });
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
pub(super) fn moment(seen: Timestamp, told: Option<Timestamp>) -> Timestamp {
    let Some(told) = told else {
        return seen;
    };
    let latest = told.checked_add(STATUS_RESOLUTION).unwrap_or(told);
    seen.clamp(told, latest)
}
