//! Makes one timeline of what a real kubelet lets be seen: the pod's status, its events, and the processes in its containers.
//!
//! A status tells times in whole seconds and is a moment late; what the kubelet does to a container it tells of only in part. So a moment is
//! taken from the most exact witness there is, and TERM, which the API does not tell of, follows from the kubelet's rules: it is sent when
//! the hook has ended, or at once where there is none. The proxy tells of it in its own log. Where nobody has seen it, the event carries
//! the earliest moment that is possible beside the latest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Pod, PodSpec};

use super::status::{self, Instance};
use crate::environment::observe::{ProcessChange, ProcessReport};
use crate::model::timeline::{ExitStatus, LifecycleEvent, ProbeKind, TimelineEvent};
use crate::stack::PROXY_CONTAINER;

/// What is left to a container of which the hook has used the grace period up, in seconds.
const LEAST_GRACE_SECONDS: u64 = 2;
/// A status tells whole seconds: the moment lies within this time after it.
const STATUS_RESOLUTION: SignedDuration = SignedDuration::from_millis(999);
/// What the harness sees of a hook lies within this time of what the kubelet counts: a hook that ends so shortly before its deadline has been
/// ended by it, and what the container has left is the same in either case.
const DEADLINE_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);
/// Between a moment and what was certainly before it.
const JUST_BEFORE: SignedDuration = SignedDuration::from_micros(1);
/// How long the last lines of a container's log may come after the word of its end.
const LAST_WORDS_WITHIN: SignedDuration = SignedDuration::from_secs(1);
/// The most failed probes that one event can stand for.
const MOST_REPEATS: i32 = 10;

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
    },
}

/// Whether a container is a better witness of its TERM than the kubelet's rules are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum TellsOfTerm {
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
}

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something that was told of and is not told again"
)]
struct ContainerCourse {
    hook: Option<Hook>,
    has_startup_probe: bool,
    probe_commands: Vec<Vec<String>>,
    started: BTreeSet<String>,
    /// The instance that was started last.
    current: Option<String>,
    ended: BTreeSet<String>,
    startup_complete_at: Option<Timestamp>,
    ready: bool,
    hook_state: HookState,
    /// When it was sent TERM: the latest moment, where nobody saw it.
    term_sent: Option<Timestamp>,
    /// Whether the container tells of TERM itself.
    tells_of_term: TellsOfTerm,
    /// What the rules say of a TERM that the container has not told of yet, and the seconds that it then has.
    untold_term: Option<(TermMoment, u64)>,
    overran: bool,
    /// Whether the hook's end was not seen and only follows from the container's.
    hook_end_is_guessed: bool,
    lost: bool,
    process_ended: Option<Timestamp>,
    /// What the node's runtime says of the container's end.
    told_end: Option<ToldEnd>,
}

/// A container's end as the node's runtime tells of it.
#[derive(Debug)]
struct ToldEnd {
    at: Timestamp,
    told_at: Timestamp,
    status: ExitStatus,
}

/// What has been seen of a pod, and what follows from it.
#[derive(Debug)]
pub(super) struct Course {
    containers: BTreeMap<String, ContainerCourse>,
    grace_seconds: u64,
    created: bool,
    ready: bool,
    /// When the harness asked for the deletion; the API tells of it later.
    asked_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    /// Containers that the kubelet says it stops, before the status has told of the deletion.
    early_stops: Vec<(String, Timestamp)>,
    repeats: BTreeMap<String, i32>,
}

impl Course {
    /// Begins with what the pod template says.
    pub(super) fn of(pod: &PodSpec, grace_seconds: u64) -> Self {
        let sidecars = pod.init_containers.iter().flatten();
        let containers = sidecars
            .chain(&pod.containers)
            .map(|container| {
                let probes = [
                    &container.startup_probe,
                    &container.readiness_probe,
                    &container.liveness_probe,
                ];
                let course = ContainerCourse {
                    hook: hook_of(container),
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
                    ..ContainerCourse::default()
                };
                (container.name.clone(), course)
            })
            .collect();
        Self {
            containers,
            grace_seconds,
            created: false,
            ready: false,
            asked_at: None,
            deleted_at: None,
            early_stops: Vec::new(),
            repeats: BTreeMap::new(),
        }
    }

    /// Takes in that the harness asks for the pod's deletion.
    pub(super) fn ask_deletion(&mut self, now: Timestamp) {
        self.asked_at.get_or_insert(now);
    }

    /// Takes in that a container says when it was sent TERM.
    pub(super) fn told_of_term(
        &mut self,
        now: Timestamp,
        name: &str,
        at: Timestamp,
    ) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        let grace = self.grace_seconds;
        let Some(container) = self.containers.get_mut(name) else {
            return events;
        };
        // Its clock may differ from this one: it is believed within what is possible.
        let at = at.clamp(self.deleted_at.unwrap_or(at).min(now), now);
        let used = match container.hook_state {
            HookState::Runs { since, .. } | HookState::Over { since } => seconds_between(since, at),
            HookState::NotBegun => 0,
        };
        if let HookState::Runs { .. } = container.hook_state {
            let finished = LifecycleEvent::PreStopFinished { exit_code: None };
            events.push(event(at, Some(name.to_owned()), finished));
        }
        container.sent_term(
            name,
            TermMoment::Seen(at),
            grace.saturating_sub(used),
            &mut events,
        );
        events
    }

    /// Tells whether the pod is being deleted.
    pub(super) const fn is_being_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Tells whether a hook was not seen to end: the kubelet may still tell of its failure.
    pub(super) fn awaits_words_of_hooks(&self) -> bool {
        self.containers
            .values()
            .any(|container| container.hook_end_is_guessed)
    }

    /// Tells whether everything of the pod has ended, and no event can add how: the API may keep the pod for many seconds longer.
    pub(super) fn is_concluded(&self) -> bool {
        self.is_being_deleted()
            && self.containers.values().all(ContainerCourse::has_ended)
            && !self.awaits_words_of_hooks()
    }

    /// Takes in a status.
    pub(super) fn status(&mut self, now: Timestamp, pod: &Pod) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        if !self.created {
            self.created = true;
            events.push(event(now, None, LifecycleEvent::PodCreated));
        }
        let deletion = pod.metadata.deletion_timestamp.is_some() && self.deleted_at.is_none();
        if deletion {
            let grace = pod.metadata.deletion_grace_period_seconds;
            if let Some(grace) = grace.and_then(|grace| u64::try_from(grace).ok()) {
                self.grace_seconds = grace;
            }
            self.deletion(now, &mut events);
        }
        let deleted_at = self.deleted_at;
        for view in status::containers(pod) {
            let Some(container) = self.containers.get_mut(&view.name) else {
                continue;
            };
            for instance in &view.instances {
                container.instance(now, &view.name, instance, deleted_at, &mut events);
            }
            if let Some(reason) = &view.lost {
                container.lost(now, &view.name, reason, &mut events);
            }
            let name = || Some(view.name.clone());
            if view.started && container.startup_complete_at.is_none() {
                container.startup_complete_at = Some(now);
                if container.has_startup_probe {
                    events.push(event(
                        now,
                        name(),
                        LifecycleEvent::Probed {
                            probe: ProbeKind::Startup,
                            success: true,
                            detail: "the status says `started`".into(),
                        },
                    ));
                }
                events.push(event(now, name(), LifecycleEvent::StartupComplete));
            }
            if view.ready != container.ready {
                container.ready = view.ready;
                let change = if view.ready {
                    LifecycleEvent::ContainerReady
                } else {
                    LifecycleEvent::ContainerNotReady
                };
                events.push(event(now, name(), change));
            }
        }
        // A pod that is being deleted is no endpoint, whatever its condition says.
        let ready = status::is_ready(pod) && self.deleted_at.is_none();
        if ready != self.ready {
            self.ready = ready;
            let change = if ready {
                LifecycleEvent::PodReady
            } else {
                LifecycleEvent::PodNotReady
            };
            events.push(event(now, None, change));
        }
        events
    }

    /// Takes in one of the kubelet's events.
    pub(super) fn kubelet_event(&mut self, now: Timestamp, seen: &Event) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        let count = seen.count.unwrap_or(1).max(1);
        let id = seen.metadata.uid.clone().unwrap_or_default();
        let before = self.repeats.insert(id, count).unwrap_or_default();
        if count <= before {
            return events;
        }
        let Some(name) = seen
            .involved_object
            .field_path
            .as_deref()
            .and_then(container_of)
        else {
            return events;
        };
        let message = seen.message.clone().unwrap_or_default();
        match seen.reason.as_deref() {
            Some("Unhealthy") => {
                if let Some(probe) = probe_of(&message) {
                    let complete = self
                        .containers
                        .get(name)
                        .and_then(|container| container.startup_complete_at);
                    // No startup probe is carried out after the one that succeeded: a failure that is heard of later was before it.
                    let at = match (probe, complete) {
                        (ProbeKind::Startup, Some(complete)) => now.min(complete - JUST_BEFORE),
                        (ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness, _) => now,
                    };
                    for _ in 0..(count - before).min(MOST_REPEATS) {
                        let failed = LifecycleEvent::Probed {
                            probe,
                            success: false,
                            detail: message.clone(),
                        };
                        events.push(event(at, Some(name.to_owned()), failed));
                    }
                }
            }
            Some("Killing") if message.contains("probe") => {
                let again = LifecycleEvent::Restarting { reason: message };
                events.push(event(now, Some(name.to_owned()), again));
                self.stop(now, name, &mut events);
            }
            Some("Killing") if self.deleted_at.is_none() => {
                self.early_stops.push((name.to_owned(), now));
            }
            Some("Killing") => self.stop(now, name, &mut events),
            Some("FailedPreStopHook") => self.hook_failed(now, name, &message, &mut events),
            Some(_) | None => {}
        }
        events
    }

    /// Takes in what the processes on the node did.
    pub(super) fn process(&mut self, now: Timestamp, seen: &ProcessReport) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        let deleted_at = self.deleted_at;
        let grace = self.grace_seconds;
        let earliest = self.deleted_at.unwrap_or(now);
        let Some((name, container)) = seen
            .container
            .as_ref()
            .and_then(|name| Some((name, self.containers.get_mut(name)?)))
        else {
            return events;
        };
        match &seen.change {
            ProcessChange::Begun => {}
            ProcessChange::Entered { process, command } => {
                container.entered(now, name, (*process, command), deleted_at, &mut events);
            }
            ProcessChange::Left { process } => {
                if let HookState::Runs {
                    since,
                    process: Some(own),
                } = container.hook_state
                    && own == *process
                {
                    let used = now.duration_since(since);
                    if used.saturating_add(DEADLINE_TOLERANCE) >= whole_seconds(grace) {
                        container.overrun(now, name, &mut events);
                    } else {
                        let finished = LifecycleEvent::PreStopFinished { exit_code: None };
                        events.push(event(now, Some(name.clone()), finished));
                        let used = seconds_between(since, now);
                        let left = grace.saturating_sub(used);
                        container.term(name, TermMoment::Seen(now), left, &mut events);
                    }
                }
            }
            ProcessChange::Ended => {
                container.process_ended = Some(now);
                // TERM was sent before; the kubelet's own word may come later.
                if deleted_at.is_some() && container.hook.is_none() {
                    let moment = TermMoment::Between(earliest, now);
                    container.term(name, moment, grace, &mut events);
                }
            }
            ProcessChange::EndedWith { exit_code } => {
                container.told_end = Some(ToldEnd {
                    at: container.process_ended.unwrap_or(now),
                    told_at: now,
                    status: ExitStatus::Code(*exit_code),
                });
                container.take_told_end(now, name, deleted_at, &mut events);
            }
        }
        events
    }

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        let grace = self.grace_seconds;
        let deleted_at = self.deleted_at;
        for (name, container) in &mut self.containers {
            container.take_told_end(now, name, deleted_at, &mut events);
            let HookState::Runs { since, .. } = container.hook_state else {
                continue;
            };
            let used = now.duration_since(since);
            if used >= whole_seconds(grace) {
                container.overrun(now, name, &mut events);
            } else if let Some(Hook::Sleep(seconds)) = container.hook
                && used >= whole_seconds(seconds)
            {
                let finished = LifecycleEvent::PreStopFinished { exit_code: None };
                events.push(event(now, Some(name.clone()), finished));
                let left = grace.saturating_sub(seconds);
                container.term(name, TermMoment::Seen(now), left, &mut events);
            }
        }
        events
    }

    /// Returns the containers' names and the ids of those that run.
    pub(super) fn running(pod: &Pod) -> BTreeMap<String, String> {
        status::containers(pod)
            .into_iter()
            .filter_map(|view| {
                let instance = view.instances.into_iter().next_back()?;
                instance.end.is_none().then_some((view.name, instance.id))
            })
            .collect()
    }

    fn deletion(&mut self, now: Timestamp, events: &mut Vec<TimelineEvent>) {
        let now = self.asked_at.unwrap_or(now);
        self.deleted_at = Some(now);
        events.push(event(
            now,
            None,
            LifecycleEvent::DeletionRequested {
                grace_period_seconds: self.grace_seconds,
            },
        ));
        if self.ready {
            self.ready = false;
            events.push(event(now, None, LifecycleEvent::PodNotReady));
        }
        for (name, at) in std::mem::take(&mut self.early_stops) {
            self.stop(at.max(now), &name, events);
        }
    }

    /// The kubelet has begun to stop a container: its hook runs, or it is sent TERM.
    fn stop(&mut self, now: Timestamp, name: &str, events: &mut Vec<TimelineEvent>) {
        let grace = self.grace_seconds;
        let earliest = self.deleted_at.unwrap_or(now);
        let Some(container) = self.containers.get_mut(name) else {
            return;
        };
        let now = container.moment_of_hook(now, earliest);
        match container.hook {
            None => {
                let at = container.process_ended.map_or(now, |ended| ended.min(now));
                container.term(name, TermMoment::Between(earliest, at), grace, events);
            }
            Some(Hook::Exec(_) | Hook::Sleep(_)) => container.begin_hook(now, name, None, events),
            Some(Hook::Http) => {
                // The port answers at once or the hook fails; the kubelet tells of a failure only.
                container.begin_hook(now, name, None, events);
                let finished = LifecycleEvent::PreStopFinished { exit_code: None };
                events.push(event(now, Some(name.to_owned()), finished));
                container.term(name, TermMoment::Between(earliest, now), grace, events);
            }
        }
    }

    fn hook_failed(
        &mut self,
        now: Timestamp,
        name: &str,
        message: &str,
        events: &mut Vec<TimelineEvent>,
    ) {
        let grace = self.grace_seconds;
        let earliest = self.deleted_at.unwrap_or(now);
        let Some(container) = self.containers.get_mut(name) else {
            return;
        };
        // A hook that is cut short by its container's end has overrun; the kubelet says that it failed as well.
        if container.overran {
            return;
        }
        let now = container.moment_of_hook(now, earliest);
        container.hook_end_is_guessed = false;
        container.begin_hook(now, name, None, events);
        let failed = LifecycleEvent::PreStopFailed {
            reason: message.to_owned(),
        };
        events.push(event(now, Some(name.to_owned()), failed));
        let used = match container.hook_state {
            HookState::Runs { since, .. } => seconds_between(since, now),
            HookState::NotBegun | HookState::Over { .. } => 0,
        };
        let left = grace.saturating_sub(used);
        container.term(name, TermMoment::Between(earliest, now), left, events);
    }
}

impl ContainerCourse {
    fn instance(
        &mut self,
        now: Timestamp,
        name: &str,
        instance: &Instance,
        deleted_at: Option<Timestamp>,
        events: &mut Vec<TimelineEvent>,
    ) {
        if self.started.insert(instance.id.clone()) {
            let at = moment(now, instance.started_at);
            if instance.restart_count > 0 {
                let again = LifecycleEvent::Restarting {
                    reason: "it had ended".into(),
                };
                events.push(event(at, Some(name.to_owned()), again));
            }
            let started = LifecycleEvent::Started {
                restart_count: instance.restart_count,
            };
            events.push(event(at, Some(name.to_owned()), started));
            self.current = Some(instance.id.clone());
            self.startup_complete_at = None;
            self.hook_state = HookState::NotBegun;
            self.term_sent = None;
            self.untold_term = None;
            self.process_ended = None;
        }
        let Some((status, finished_at)) = instance.end else {
            return;
        };
        let seen = self.process_ended;
        let at = seen.unwrap_or_else(|| moment(now, finished_at));
        self.exited(at, name, &instance.id, status, deleted_at, events);
    }

    /// Believes the runtime's word of the container's end, once the container itself has had the time to tell of its TERM.
    fn take_told_end(
        &mut self,
        now: Timestamp,
        name: &str,
        deleted_at: Option<Timestamp>,
        events: &mut Vec<TimelineEvent>,
    ) {
        let waits = |told: &ToldEnd| {
            self.tells_of_term == TellsOfTerm::Yes
                && self.term_sent.is_none()
                && now.duration_since(told.told_at) < LAST_WORDS_WITHIN
        };
        let Some(told) = self.told_end.take_if(|told| !waits(told)) else {
            return;
        };
        if let Some(current) = self.current.clone() {
            self.exited(told.at, name, &current, told.status, deleted_at, events);
        }
    }

    /// Tells whether the instance that was started last has ended, and how is known.
    fn has_ended(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| self.ended.contains(current))
    }

    /// An instance has ended; it is told of once.
    fn exited(
        &mut self,
        at: Timestamp,
        name: &str,
        id: &str,
        status: ExitStatus,
        deleted_at: Option<Timestamp>,
        events: &mut Vec<TimelineEvent>,
    ) {
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
            let finished = LifecycleEvent::PreStopFinished { exit_code: None };
            events.push(event(at, Some(name.to_owned()), finished));
            let moment = TermMoment::Between(since, at);
            self.sent_term(name, moment, LEAST_GRACE_SECONDS, events);
        }
        if let Some(moment) = self.untold_term.take()
            && self.term_sent.is_none()
        {
            // The container was to tell of it and did not.
            let (moment, left) = moment;
            let moment = match moment {
                TermMoment::Seen(seen) => TermMoment::Seen(seen.min(at)),
                TermMoment::Between(earliest, latest) => {
                    TermMoment::Between(earliest.min(at), latest.min(at))
                }
            };
            self.sent_term(name, moment, left, events);
        }
        if let Some(earliest) = deleted_at
            && self.term_sent.is_none()
        {
            // The kubelet's own word of the hook and of TERM comes later.
            let moment = TermMoment::Between(earliest.min(at), at);
            self.sent_term(name, moment, LEAST_GRACE_SECONDS, events);
        }
        let at = self.term_sent.map_or(at, |term| at.max(term));
        if status.as_container_exit_code() == 137 && self.term_sent.is_some() {
            events.push(event(at, Some(name.to_owned()), LifecycleEvent::KillSent));
        }
        events.push(event(
            at,
            Some(name.to_owned()),
            LifecycleEvent::Exited(status),
        ));
    }

    /// The kubelet finds the container no more; only its node may have seen when it ended.
    fn lost(&mut self, now: Timestamp, name: &str, reason: &str, events: &mut Vec<TimelineEvent>) {
        if self.has_ended() || std::mem::replace(&mut self.lost, true) {
            return;
        }
        let at = self.process_ended.unwrap_or(now);
        let unknown = LifecycleEvent::EndUnknown {
            reason: reason.to_owned(),
        };
        events.push(event(at, Some(name.to_owned()), unknown));
    }

    /// A process was started from outside: the hook's, unless it is a probe's.
    fn entered(
        &mut self,
        now: Timestamp,
        name: &str,
        (process, command): (i32, &[String]),
        deleted_at: Option<Timestamp>,
        events: &mut Vec<TimelineEvent>,
    ) {
        let Some(Hook::Exec(hook)) = &self.hook else {
            return;
        };
        let is_hook = command == hook
            || (deleted_at.is_some() && !self.probe_commands.iter().any(|probe| probe == command));
        if is_hook {
            self.begin_hook(now, name, Some(process), events);
        }
    }

    /// Returns when something of a hook was that is heard of now: where the container has ended meanwhile, it was before TERM.
    fn moment_of_hook(&self, now: Timestamp, earliest: Timestamp) -> Timestamp {
        if self.has_ended() { earliest } else { now }
    }

    fn begin_hook(
        &mut self,
        now: Timestamp,
        name: &str,
        process: Option<i32>,
        events: &mut Vec<TimelineEvent>,
    ) {
        match &mut self.hook_state {
            HookState::NotBegun => {
                self.hook_state = HookState::Runs {
                    since: now,
                    process,
                };
                events.push(event(
                    now,
                    Some(name.to_owned()),
                    LifecycleEvent::PreStopStarted,
                ));
            }
            HookState::Runs { process: known, .. } => *known = known.or(process),
            HookState::Over { .. } => {}
        }
    }

    /// The hook has used the grace period up.
    fn overrun(&mut self, now: Timestamp, name: &str, events: &mut Vec<TimelineEvent>) {
        events.push(event(
            now,
            Some(name.to_owned()),
            LifecycleEvent::PreStopOverran,
        ));
        self.overran = true;
        self.term(name, TermMoment::Seen(now), 0, events);
    }

    /// By the kubelet's rules the container is sent TERM. One that tells of it itself is waited for.
    fn term(
        &mut self,
        name: &str,
        moment: TermMoment,
        left_seconds: u64,
        events: &mut Vec<TimelineEvent>,
    ) {
        match self.tells_of_term {
            TellsOfTerm::No => self.sent_term(name, moment, left_seconds, events),
            TellsOfTerm::Yes => {
                self.end_hook(moment.latest());
                self.untold_term.get_or_insert((moment, left_seconds));
            }
        }
    }

    /// The container was sent TERM, once.
    fn sent_term(
        &mut self,
        name: &str,
        moment: TermMoment,
        left_seconds: u64,
        events: &mut Vec<TimelineEvent>,
    ) {
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
        events.push(event(moment.latest(), Some(name.to_owned()), sent));
    }

    fn end_hook(&mut self, now: Timestamp) {
        if let HookState::Runs { since, .. } = self.hook_state {
            self.hook_state = HookState::Over {
                since: since.min(now),
            };
        }
    }
}

fn whole_seconds(seconds: u64) -> SignedDuration {
    SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(SignedDuration::MAX)
}

fn event(at: Timestamp, container: Option<String>, event: LifecycleEvent) -> TimelineEvent {
    TimelineEvent {
        at,
        container,
        event,
    }
}

fn hook_of(container: &k8s_openapi::api::core::v1::Container) -> Option<Hook> {
    let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
    if let Some(exec) = &hook.exec {
        return Some(Hook::Exec(exec.command.clone().unwrap_or_default()));
    }
    if let Some(sleep) = &hook.sleep {
        return Some(Hook::Sleep(
            u64::try_from(sleep.seconds).unwrap_or_default(),
        ));
    }
    Some(Hook::Http)
}

/// Returns the moment that fits both the time of a status, which is in whole seconds, and when it was seen.
fn moment(seen: Timestamp, told: Option<Timestamp>) -> Timestamp {
    let Some(told) = told else {
        return seen;
    };
    let latest = told.checked_add(STATUS_RESOLUTION).unwrap_or(told);
    seen.clamp(told, latest)
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}

/// Reads the container out of an event's field path: `spec.containers{name}`, `spec.initContainers{name}`.
fn container_of(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once('{')?;
    rest.strip_suffix('}')
}

fn probe_of(message: &str) -> Option<ProbeKind> {
    [
        ("Startup", ProbeKind::Startup),
        ("Readiness", ProbeKind::Readiness),
        ("Liveness", ProbeKind::Liveness),
    ]
    .into_iter()
    .find(|(word, _)| message.starts_with(word))
    .map(|(_, probe)| probe)
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
