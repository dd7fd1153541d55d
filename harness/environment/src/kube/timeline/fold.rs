//! Folds what is known of a pod into its timeline: a function of the set of facts, whatever the order in which they were collected.
//!
//! A status dates in whole seconds and is a moment late, and the API reports only part of what the kubelet does to a container. So a moment is
//! taken from the most exact source that there is, and TERM, which the API does not report, follows from the kubelet's rules: it is sent when
//! the hook has ended, or at once where there is none. The proxy reports it in its own log. Where no source has it, the event carries
//! the earliest moment that is possible beside the latest.
//!
//! Facts are read in the order in which the harness heard of them ([`Fact::order`]), so that a fact that is heard later only adds to the timeline:
//! what [`super::recorder`] has delivered before stands. There is one exception, which adds as well: what the kubelet says of a deletion may
//! be heard before the status that shows the deletion. It has no effect until then, and is read directly after it ([`reading_order`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::PodSpec;

use super::container_timeline::ContainerTimeline;
use super::fact::{Fact, KubeletSignal, Readiness, Source, What};
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};

/// The most failed probes that one event can stand for.
const MOST_REPEATS: i32 = 10;

/// What follows from a pod's template and from what was said of it.
#[derive(Clone, Debug)]
pub(super) struct PodState {
    /// The timeline, in the order in which its events became known.
    pub(super) events: Vec<TimelineEvent>,
    pub(super) containers: BTreeMap<String, ContainerTimeline>,
    grace_seconds: u64,
    exists: bool,
    readiness: Readiness,
    /// When the harness asked for the deletion; the API reports it later.
    asked_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    /// How often each event of the kubelet was counted.
    counts: BTreeMap<String, i32>,
    /// The native sidecars, the last one first, each with the containers that are ended before it.
    sidecars: Vec<(String, Vec<String>)>,
}

/// Where a fact stands among those that are read.
type ReadingPlace = ((Timestamp, Source, usize), Option<(Timestamp, usize)>);

/// Returns what follows from a set of facts.
pub(super) fn fold(beginning: &PodState, facts: &[Fact]) -> PodState {
    let mut state = beginning.clone();
    for fact in reading_order(facts) {
        state.read(fact);
    }
    state
}

/// Returns the facts in the order in which they are read, without those that have no effect yet.
fn reading_order(facts: &[Fact]) -> impl Iterator<Item = &Fact> {
    let first = |is_wanted: fn(&What) -> bool| {
        let wanted = facts.iter().filter(|fact| is_wanted(&fact.what));
        wanted.map(Fact::order).min()
    };
    let asked = first(|what| matches!(what, What::DeletionAsked));
    let deleted = first(|what| matches!(what, What::BeingDeleted { .. }));
    let place = |fact: &Fact| -> Option<ReadingPlace> {
        let waits = match &fact.what {
            What::KubeletEvent { signal, .. } => match signal {
                KubeletSignal::Stops => true,
                // A hook may fail at a restart, which no deletion is about.
                KubeletSignal::HookFailed { .. } => asked.is_some_and(|asked| asked < fact.order()),
                KubeletSignal::ProbeFailed { .. } | KubeletSignal::Restarts { .. } => false,
            },
            What::DeletionAsked
            | What::Concluded
            | What::TimePassed
            | What::Exists
            | What::BeingDeleted { .. }
            | What::PodReadiness(_)
            | What::OfContainer { .. } => false,
        };
        if !waits {
            return Some((fact.order(), None));
        }
        let deleted = deleted?;
        if fact.order() < deleted {
            return Some((deleted, Some((fact.heard_at, fact.number))));
        }
        Some((fact.order(), None))
    };
    let mut placed: Vec<(ReadingPlace, &Fact)> = facts
        .iter()
        .filter_map(|fact| Some((place(fact)?, fact)))
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, fact)| fact)
}

impl PodState {
    /// Begins with what the pod template says.
    pub(super) fn of(pod: &PodSpec, grace_seconds: u64) -> Self {
        let timeline_of = |container| ContainerTimeline::of(container, grace_seconds);
        let mains = pod.containers.iter();
        let mut containers: BTreeMap<String, ContainerTimeline> = mains
            .map(|container| (container.name.clone(), timeline_of(container)))
            .collect();
        let mut ended_before: Vec<String> = containers.keys().cloned().collect();
        let mut sidecars = Vec::new();
        // They are ended in the reverse order of their starts.
        let init_containers = pod.init_containers.iter().flatten();
        let native = init_containers
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        for container in native.rev() {
            let name = &container.name;
            containers.insert(name.clone(), timeline_of(container).into_sidecar());
            sidecars.push((name.clone(), ended_before.clone()));
            ended_before.push(name.clone());
        }
        Self {
            events: Vec::new(),
            containers,
            grace_seconds,
            exists: false,
            readiness: Readiness::NotReady,
            asked_at: None,
            deleted_at: None,
            counts: BTreeMap::new(),
            sidecars,
        }
    }

    /// Returns whether the pod is being deleted.
    pub(super) const fn is_being_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Returns whether the kubelet may still report a hook.
    pub(super) fn awaits_signals_of_hooks(&self, now: Timestamp) -> bool {
        let mut containers = self.containers.values();
        containers.any(|container| container.awaits_signal_of_hook(now))
    }

    /// Returns whether everything of the pod has ended, and no event can add how: the API may keep the pod for many seconds longer.
    pub(super) fn is_concluded(&self, now: Timestamp) -> bool {
        self.is_being_deleted()
            && self.containers.values().all(ContainerTimeline::has_ended)
            && !self.awaits_signals_of_hooks(now)
    }

    /// Returns whether time alone adds something by then.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let mut containers = self.containers.values();
        containers.any(|container| container.is_due(now))
    }

    fn read(&mut self, fact: &Fact) {
        self.read_by_itself(fact);
        self.give_turns();
    }

    /// Lets each sidecar have its turn that has nothing to wait for any more.
    fn give_turns(&mut self) {
        let Some(deleted_at) = self.deleted_at else {
            return;
        };
        for (name, ended_before) in self.sidecars.clone() {
            let awaits = self.containers.get(&name);
            if !awaits.is_some_and(ContainerTimeline::awaits_turn) {
                continue;
            }
            let mut others = ended_before
                .iter()
                .filter_map(|name| self.containers.get(name));
            let all = (deleted_at, deleted_at);
            let ended = others.try_fold(all, |(earliest, latest), other| {
                if other.was_never_started() {
                    return Some((earliest, latest));
                }
                let (from, to) = other.ended_between()?;
                Some((earliest.max(from), latest.max(to)))
            });
            if let Some((earliest, latest)) = ended {
                self.in_one(&name, |container| container.turn_comes(earliest, latest));
            }
        }
    }

    fn read_by_itself(&mut self, fact: &Fact) {
        match &fact.what {
            What::DeletionAsked => {
                self.asked_at.get_or_insert(fact.latest);
            }
            What::Concluded => self.in_each(|container| {
                container.give_up_turn();
                container.conclude();
            }),
            What::TimePassed => self.in_each(|container| container.pass_time(fact.latest)),
            What::Exists => {
                if !self.exists {
                    self.exists = true;
                    self.add(fact.latest, LifecycleEvent::PodCreated);
                }
            }
            What::BeingDeleted { grace_seconds } => {
                if self.deleted_at.is_none() {
                    self.grace_seconds = grace_seconds.unwrap_or(self.grace_seconds);
                    self.delete(fact.latest);
                }
            }
            What::PodReadiness(readiness) => self.take_readiness(fact.latest, *readiness),
            What::OfContainer { container, what } => {
                self.in_one(container, |container| container.read(fact, what));
            }
            What::KubeletEvent {
                id,
                count,
                container,
                signal,
            } => {
                let before = self.counts.get(id).copied().unwrap_or_default();
                if *count <= before {
                    return;
                }
                self.counts.insert(id.clone(), *count);
                let times = (count - before).min(MOST_REPEATS);
                // What waited for the deletion was not before it.
                let at = match self.deleted_at {
                    Some(deleted_at) if signal.is_of_a_stop() => fact.latest.max(deleted_at),
                    Some(_) | None => fact.latest,
                };
                self.in_one(container, |container| {
                    container.read_signal(at, fact.earliest, signal, times);
                });
            }
        }
    }

    fn delete(&mut self, heard_at: Timestamp) {
        let at = self.asked_at.unwrap_or(heard_at);
        self.deleted_at = Some(at);
        let asked = LifecycleEvent::DeletionRequested {
            grace_period_seconds: self.grace_seconds,
        };
        self.add(at, asked);
        self.take_readiness(at, Readiness::NotReady);
        for container in self.containers.values_mut() {
            container.delete(at, self.grace_seconds);
        }
    }

    fn take_readiness(&mut self, at: Timestamp, said: Readiness) {
        // A pod that is being deleted is no endpoint, whatever its condition says.
        let readiness = match self.deleted_at {
            Some(_) => Readiness::NotReady,
            None => said,
        };
        if readiness == self.readiness {
            return;
        }
        self.readiness = readiness;
        let change = match readiness {
            Readiness::Ready => LifecycleEvent::PodReady,
            Readiness::NotReady => LifecycleEvent::PodNotReady,
        };
        self.add(at, change);
    }

    fn in_each(&mut self, read: impl Fn(&mut ContainerTimeline)) {
        for container in self.containers.values_mut() {
            read(container);
            self.events.extend(container.take_events());
        }
    }

    fn in_one(&mut self, name: &str, read: impl FnOnce(&mut ContainerTimeline)) {
        if let Some(container) = self.containers.get_mut(name) {
            read(container);
            self.events.extend(container.take_events());
        }
    }

    fn add(&mut self, at: Timestamp, event: LifecycleEvent) {
        self.events.push(TimelineEvent {
            at,
            container: None,
            event,
        });
    }
}
