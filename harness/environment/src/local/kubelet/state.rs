//! What a pod's containers are up to, and the one place that turns changes into timeline events.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};

/// The pod's state. It lives in one thread; no borrow outlives a call.
#[derive(Debug)]
pub(in crate::local) struct PodState<P> {
    containers: RefCell<Vec<ContainerState<P>>>,
    events: RefCell<Vec<TimelineEvent>>,
    event_count: watch::Sender<usize>,
    ready: watch::Sender<bool>,
    serving: watch::Sender<bool>,
    deletion: watch::Sender<Option<Duration>>,
}

#[derive(Debug)]
struct ContainerState<P> {
    name: String,
    ready: bool,
    activity: ContainerActivity<P>,
    has_started_up: bool,
}

/// What a container is doing.
#[derive(Clone, Debug)]
pub(in crate::local) enum ContainerActivity<P> {
    /// It does not run, for the reason given.
    Waiting(String),
    /// Its process runs.
    Running(P),
}

impl<P: Clone> PodState<P> {
    pub(in crate::local) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let containers = names
            .into_iter()
            .map(|name| ContainerState {
                name,
                ready: false,
                activity: ContainerActivity::Waiting("has not been started".into()),
                has_started_up: false,
            })
            .collect();
        Self {
            containers: RefCell::new(containers),
            events: RefCell::default(),
            event_count: watch::Sender::new(0),
            ready: watch::Sender::new(false),
            serving: watch::Sender::new(false),
            deletion: watch::Sender::new(None),
        }
    }

    /// Adds an event of one container to the timeline.
    pub(in crate::local) fn record(&self, container: usize, event: LifecycleEvent) {
        let name = self.containers.borrow()[container].name.clone();
        if event == LifecycleEvent::StartupComplete {
            self.containers.borrow_mut()[container].has_started_up = true;
        }
        self.append(Some(name), event);
    }

    /// Adds an event of the pod as a whole.
    pub(in crate::local) fn record_for_pod(&self, event: LifecycleEvent) {
        self.append(None, event);
    }

    /// Returns the events from the given position on.
    pub(in crate::local) fn events_from(&self, position: usize) -> Vec<TimelineEvent> {
        self.events
            .borrow()
            .get(position..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Follows the number of events.
    pub(in crate::local) fn event_count(&self) -> watch::Receiver<usize> {
        self.event_count.subscribe()
    }

    /// Follows the pod's readiness.
    pub(in crate::local) fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Follows whether all of the pod's containers are ready, also while it is being deleted.
    pub(in crate::local) fn serving(&self) -> watch::Receiver<bool> {
        self.serving.subscribe()
    }

    /// Returns the position of a container.
    pub(in crate::local) fn position(&self, name: &str) -> Option<usize> {
        self.containers
            .borrow()
            .iter()
            .position(|container| container.name == name)
    }

    /// Returns what the container is doing.
    pub(in crate::local) fn activity(&self, container: usize) -> ContainerActivity<P> {
        self.containers.borrow()[container].activity.clone()
    }

    pub(super) fn set_activity(&self, container: usize, activity: ContainerActivity<P>) {
        self.containers.borrow_mut()[container].activity = activity;
    }

    /// Counts the container as ready and, when it was the last one, the pod.
    pub(super) fn mark_ready(&self, container: usize) {
        let before = std::mem::replace(&mut self.containers.borrow_mut()[container].ready, true);
        if !before {
            self.record(container, LifecycleEvent::ContainerReady);
            self.settle_readiness();
        }
    }

    /// Waits until the container's start-up is complete for the first time, or the pod is being deleted.
    pub(super) async fn started_up(&self, container: usize) {
        self.until(|state| {
            state.is_deleting() || state.containers.borrow()[container].has_started_up
        })
        .await;
    }

    /// Waits until no container that was started after this one runs.
    pub(super) async fn followers_ended(&self, container: usize) {
        self.until(|state| {
            state.containers.borrow()[container + 1..]
                .iter()
                .all(|follower| matches!(follower.activity, ContainerActivity::Waiting(_)))
        })
        .await;
    }

    /// Waits for a condition that only changes together with an event.
    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut count = self.event_count.subscribe();
        while !condition(self) {
            count.changed().await.expect("the sender lives in self");
        }
    }

    /// No longer counts the container as ready, nor the pod.
    pub(super) fn mark_not_ready(&self, container: usize) {
        let before = std::mem::replace(&mut self.containers.borrow_mut()[container].ready, false);
        if before {
            self.record(container, LifecycleEvent::ContainerNotReady);
            self.settle_readiness();
        }
    }

    /// Starts the deletion: the pod stops being an endpoint before anything else happens to it.
    /// Further calls change nothing.
    pub(in crate::local) fn request_deletion(&self, grace: Duration) {
        if self.deletion.borrow().is_some() {
            return;
        }
        self.record_for_pod(LifecycleEvent::DeletionRequested {
            grace_period_seconds: grace.as_secs(),
        });
        self.deletion.send_replace(Some(grace));
        self.settle_readiness();
    }

    /// Returns whether deletion was requested.
    pub(super) fn is_deleting(&self) -> bool {
        self.deletion.borrow().is_some()
    }

    /// Waits for the request for deletion and returns its grace period.
    pub(super) async fn deletion(&self) -> Duration {
        let mut deletion = self.deletion.subscribe();
        let grace = deletion
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives in self");
        grace.expect("waited for it")
    }

    fn settle_readiness(&self) {
        let containers = self.containers.borrow();
        let serving = containers.iter().all(|container| container.ready);
        drop(containers);
        self.serving.send_replace(serving);
        let ready = serving && !self.is_deleting();
        if self.ready.send_replace(ready) != ready {
            self.record_for_pod(if ready {
                LifecycleEvent::PodReady
            } else {
                LifecycleEvent::PodNotReady
            });
        }
    }

    fn append(&self, container: Option<String>, event: LifecycleEvent) {
        let mut events = self.events.borrow_mut();
        events.push(TimelineEvent {
            at: Timestamp::now(),
            container,
            event,
        });
        self.event_count.send_replace(events.len());
    }
}
