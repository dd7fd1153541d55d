//! Makes one timeline of what a real kubelet lets be seen: the pod's status, its events, and the processes in its containers.
//!
//! A status tells times in whole seconds and is a moment late; what the kubelet does to a container it tells of only in part. So a moment is
//! taken from the most exact witness there is, and TERM, which the API does not tell of, follows from the kubelet's rules: it is sent when
//! the hook has ended, or at once where there is none. The proxy tells of it in its own log. Where nobody has seen it, the event carries
//! the earliest moment that is possible beside the latest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod, PodSpec};

use crate::kube::api::status;
use crate::kube::timeline::container_course::{ContainerCourse, StopWord};
use crate::observe::ProcessReport;
use harness_core::model::timeline::{LifecycleEvent, ProbeKind, TimelineEvent};

/// The most failed probes that one event can stand for.
const MOST_REPEATS: i32 = 10;

/// What has been seen of a pod, and what follows from it.
#[derive(Debug)]
pub(in crate::kube) struct Course {
    containers: BTreeMap<String, ContainerCourse>,
    grace_seconds: u64,
    created: bool,
    ready: bool,
    /// When the harness asked for the deletion; the API tells of it later.
    asked_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    /// What the kubelet says of containers that it stops, before the status has told of the deletion.
    early_words: Vec<(String, Timestamp, StopWord)>,
    repeats: BTreeMap<String, i32>,
}

impl Course {
    /// Begins with what the pod template says.
    pub(in crate::kube) fn of(pod: &PodSpec, grace_seconds: u64) -> Self {
        let sidecars = pod.init_containers.iter().flatten();
        let containers = sidecars.chain(&pod.containers).map(|container| {
            let course = ContainerCourse::of(container, grace_seconds);
            (container.name.clone(), course)
        });
        Self {
            containers: containers.collect(),
            grace_seconds,
            created: false,
            ready: false,
            asked_at: None,
            deleted_at: None,
            early_words: Vec::new(),
            repeats: BTreeMap::new(),
        }
    }

    /// Takes in that the harness asks for the pod's deletion.
    pub(in crate::kube) fn ask_deletion(&mut self, now: Timestamp) {
        self.asked_at.get_or_insert(now);
    }

    /// Tells whether the pod is being deleted.
    pub(super) const fn is_being_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Returns the runtime's id of a container's last start.
    pub(super) fn instance_of(&self, name: &str) -> Option<String> {
        self.containers.get(name)?.current_instance()
    }

    /// Tells whether the kubelet may still tell of a hook.
    pub(super) fn awaits_words_of_hooks(&self, now: Timestamp) -> bool {
        let mut containers = self.containers.values();
        containers.any(|container| container.awaits_word_of_hook(now))
    }

    /// Tells whether everything of the pod has ended, and no event can add how: the API may keep the pod for many seconds longer.
    pub(super) fn is_concluded(&self, now: Timestamp) -> bool {
        self.is_being_deleted()
            && self.containers.values().all(ContainerCourse::has_ended)
            && !self.awaits_words_of_hooks(now)
    }

    /// Takes in that nothing more will be heard of the pod.
    pub(super) fn conclude(&mut self) -> Vec<TimelineEvent> {
        self.of_each(ContainerCourse::conclude)
    }

    /// Takes in a status.
    pub(in crate::kube) fn status(&mut self, now: Timestamp, pod: &Pod) -> Vec<TimelineEvent> {
        let mut events = Vec::new();
        if !self.created {
            self.created = true;
            events.push(of_pod(now, LifecycleEvent::PodCreated));
        }
        if pod.metadata.deletion_timestamp.is_some() && self.deleted_at.is_none() {
            let grace = pod.metadata.deletion_grace_period_seconds;
            if let Some(grace) = grace.and_then(|grace| u64::try_from(grace).ok()) {
                self.grace_seconds = grace;
            }
            self.deletion(now, &mut events);
        }
        for view in status::containers(pod) {
            if let Some(container) = self.containers.get_mut(&view.name) {
                container.status(now, &view);
                events.extend(container.take_events());
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
            events.push(of_pod(now, change));
        }
        events
    }

    /// Takes in one of the kubelet's events.
    pub(super) fn kubelet_event(&mut self, now: Timestamp, seen: &Event) -> Vec<TimelineEvent> {
        let count = seen.count.unwrap_or(1).max(1);
        let id = seen.metadata.uid.clone().unwrap_or_default();
        let before = self.repeats.insert(id, count).unwrap_or_default();
        if count <= before {
            return Vec::new();
        }
        let path = seen.involved_object.field_path.as_deref();
        let Some(name) = path.and_then(container_of) else {
            return Vec::new();
        };
        let is_being_deleted = self.is_being_deleted();
        let Some(container) = self.containers.get_mut(name) else {
            return Vec::new();
        };
        let message = seen.message.clone().unwrap_or_default();
        match seen.reason.as_deref() {
            Some("Unhealthy") => {
                if let Some(probe) = probe_of(&message) {
                    let times = (count - before).min(MOST_REPEATS);
                    container.probe_failed(now, probe, &message, times);
                }
            }
            // What comes late may be of an instance that has ended since.
            Some("Killing" | "FailedPreStopHook")
                if !told_at(seen).is_none_or(|told_at| container.can_be_told_of(told_at)) => {}
            Some("Killing") if message.contains("probe") => container.restarting(now, message),
            Some("Killing") if is_being_deleted => container.hear(now, StopWord::Stops),
            Some("Killing") => {
                let word = (name.to_owned(), now, StopWord::Stops);
                self.early_words.push(word);
            }
            Some("FailedPreStopHook") if is_being_deleted || self.asked_at.is_none() => {
                container.hear(now, StopWord::HookFailed { reason: message });
            }
            Some("FailedPreStopHook") => {
                let word = StopWord::HookFailed { reason: message };
                self.early_words.push((name.to_owned(), now, word));
            }
            Some(_) | None => {}
        }
        container.take_events().collect()
    }

    /// Takes in what the processes on the node did.
    pub(in crate::kube) fn process(
        &mut self,
        now: Timestamp,
        seen: &ProcessReport,
    ) -> Vec<TimelineEvent> {
        self.of_container(seen.container.as_deref().unwrap_or_default(), |container| {
            container.process(now, &seen.change);
        })
    }

    /// Takes in that a container says when it was sent TERM.
    pub(super) fn told_of_term(
        &mut self,
        now: Timestamp,
        name: &str,
        at: Timestamp,
    ) -> Vec<TimelineEvent> {
        self.of_container(name, |container| container.told_of_term(now, at))
    }

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<TimelineEvent> {
        self.of_each(|container| container.tick(now))
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

    fn deletion(&mut self, now: Timestamp, events: &mut Vec<TimelineEvent>) {
        let at = self.asked_at.unwrap_or(now);
        self.deleted_at = Some(at);
        let asked = LifecycleEvent::DeletionRequested {
            grace_period_seconds: self.grace_seconds,
        };
        events.push(of_pod(at, asked));
        if self.ready {
            self.ready = false;
            events.push(of_pod(at, LifecycleEvent::PodNotReady));
        }
        for container in self.containers.values_mut() {
            container.deletion(at, self.grace_seconds);
        }
        for (name, heard_at, word) in std::mem::take(&mut self.early_words) {
            let hear = |container: &mut ContainerCourse| container.hear(heard_at.max(at), word);
            events.extend(self.of_container(&name, hear));
        }
    }

    fn of_each(&mut self, learn: impl Fn(&mut ContainerCourse)) -> Vec<TimelineEvent> {
        self.containers
            .values_mut()
            .flat_map(|container| {
                learn(container);
                container.take_events()
            })
            .collect()
    }

    fn of_container(
        &mut self,
        name: &str,
        learn: impl FnOnce(&mut ContainerCourse),
    ) -> Vec<TimelineEvent> {
        let Some(container) = self.containers.get_mut(name) else {
            return Vec::new();
        };
        learn(container);
        container.take_events().collect()
    }
}

/// Returns when the kubelet told of something last, in whole seconds.
fn told_at(event: &Event) -> Option<Timestamp> {
    let told = event.last_timestamp.as_ref().map(|time| time.0);
    told.or_else(|| event.event_time.as_ref().map(|time| time.0))
}

fn of_pod(at: Timestamp, event: LifecycleEvent) -> TimelineEvent {
    TimelineEvent {
        at,
        container: None,
        event,
    }
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
#[path = "course_tests/mod.rs"]
mod tests;
