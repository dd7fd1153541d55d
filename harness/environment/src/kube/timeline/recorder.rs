//! Collects what the sources say of a pod, and delivers what it adds to the timeline.
//!
//! The timeline is [`fold`]ed anew from all the facts whenever one comes. A fact is dated with the moment at which the harness hears it, which never
//! runs backwards, and the fold reads facts in that order: so a timeline begins with what it was before, and what is new is its rest. Nothing that
//! was delivered is taken back. A consumer places each event by its moment, which may lie before that of one that it has already.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Pod, PodSpec};

use super::fact::{ContainerFact, Fact, Observation, Source, What};
use super::fold::{PodState, fold};
use super::{event_facts, status_facts};
use crate::kube::api::status;
use crate::observe::ProcessReport;
use harness_core::model::timeline::TimelineEvent;

/// Between a fact and the next one, where the clock shows the same moment for both.
const NEXT_MOMENT: SignedDuration = SignedDuration::from_nanos(1);

/// The facts of a pod, and what follows from them.
#[derive(Debug)]
pub(in crate::kube) struct PodRecorder {
    beginning: PodState,
    pub(super) facts: Vec<Fact>,
    state: PodState,
    said: BTreeMap<Source, usize>,
    last: Option<(Timestamp, Source)>,
}

impl PodRecorder {
    /// Begins with what the pod template says.
    pub(in crate::kube) fn of(pod: &PodSpec, grace_seconds: u64) -> Self {
        Self::beginning_with(PodState::of(pod, grace_seconds))
    }

    pub(super) fn beginning_with(beginning: PodState) -> Self {
        Self {
            state: beginning.clone(),
            beginning,
            facts: Vec::new(),
            said: BTreeMap::new(),
            last: None,
        }
    }

    /// Returns whether the pod is being deleted.
    pub(super) const fn is_being_deleted(&self) -> bool {
        self.state.is_being_deleted()
    }

    /// Returns the runtime's id of the instance of a container that was started last.
    pub(super) fn instance_of(&self, name: &str) -> Option<String> {
        self.state.containers.get(name)?.current_instance()
    }

    /// Returns whether the kubelet may still report a hook.
    pub(super) fn awaits_signals_of_hooks(&self, now: Timestamp) -> bool {
        self.state.awaits_signals_of_hooks(now)
    }

    /// Returns whether everything of the pod has ended, and no event can add how.
    pub(super) fn is_concluded(&self, now: Timestamp) -> bool {
        self.state.is_concluded(now)
    }

    /// The harness asks for the pod's deletion.
    pub(super) fn ask_deletion(&mut self, now: Timestamp) -> Vec<TimelineEvent> {
        let asked = Observation::undated(now, What::DeletionAsked);
        self.add(now, Source::Harness, [asked])
    }

    /// Nothing more will be heard of the pod.
    pub(super) fn conclude(&mut self) -> Vec<TimelineEvent> {
        let now = self
            .last
            .map_or(Timestamp::UNIX_EPOCH, |(heard_at, _)| heard_at);
        let concluded = Observation::undated(now, What::Concluded);
        self.add(now, Source::Clock, [concluded])
    }

    /// A status has come.
    pub(super) fn status(&mut self, now: Timestamp, pod: &Pod) -> Vec<TimelineEvent> {
        self.add(now, Source::PodStatus, status_facts::observations(now, pod))
    }

    /// One of the kubelet's events has come.
    pub(super) fn kubelet_event(&mut self, now: Timestamp, event: &Event) -> Vec<TimelineEvent> {
        self.add(
            now,
            Source::KubeletEvent,
            event_facts::observation(now, event),
        )
    }

    /// The observer reports what a process has done.
    pub(super) fn process(&mut self, now: Timestamp, report: &ProcessReport) -> Vec<TimelineEvent> {
        let seen = report.container.clone().map(|container| {
            let what = ContainerFact::Process(report.change.clone());
            Observation::undated(now, What::OfContainer { container, what })
        });
        self.add(now, Source::ProcessObserver, seen)
    }

    /// A container's log says when it was sent TERM.
    pub(super) fn term_received(
        &mut self,
        now: Timestamp,
        container: &str,
        at: Timestamp,
    ) -> Vec<TimelineEvent> {
        let received = Observation {
            earliest: Some(at),
            latest: at,
            what: What::OfContainer {
                container: container.to_owned(),
                what: ContainerFact::TermReceived,
            },
        };
        self.add(now, Source::ProxyLog, [received])
    }

    /// Time has passed. That is a fact only where something follows from it.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<TimelineEvent> {
        let passed = self
            .state
            .is_due(now)
            .then(|| Observation::undated(now, What::TimePassed));
        self.add(now, Source::Clock, passed)
    }

    /// Returns the containers' names and the ids of those that run.
    pub(in crate::kube) fn running(pod: &Pod) -> BTreeMap<String, String> {
        status::containers(pod)
            .into_iter()
            .filter_map(|view| {
                let instance = view.instances.into_iter().next_back()?;
                instance.end.is_none().then_some((view.name, instance.id))
            })
            .collect()
    }

    /// Adds what a source says; returns what that adds to the timeline.
    fn add(
        &mut self,
        now: Timestamp,
        source: Source,
        observations: impl IntoIterator<Item = Observation>,
    ) -> Vec<TimelineEvent> {
        let heard_at = self.next_moment(now, source);
        let before = self.facts.len();
        for observation in observations {
            let Observation {
                earliest,
                latest,
                what,
            } = observation;
            let number = self.said.entry(source).or_default();
            self.facts.push(Fact {
                source,
                number: *number,
                heard_at,
                earliest,
                latest,
                what,
            });
            *number += 1;
        }
        if self.facts.len() == before {
            return Vec::new();
        }
        self.last = Some((heard_at, source));
        let delivered = self.state.events.len();
        self.state = fold(&self.beginning, &self.facts);
        let events = self.state.events.get(delivered..);
        events.map(<[_]>::to_vec).unwrap_or_default()
    }

    /// Returns the moment of what is heard now: not before what was heard last, even where the machine's clock is set back.
    fn next_moment(&self, now: Timestamp, source: Source) -> Timestamp {
        match self.last {
            Some((heard_at, last)) if (now, source) < (heard_at, last) => {
                if source < last {
                    heard_at.saturating_add(NEXT_MOMENT).unwrap_or(heard_at)
                } else {
                    heard_at
                }
            }
            Some(_) | None => now,
        }
    }
}

#[cfg(test)]
#[path = "timeline_tests/mod.rs"]
mod tests;
