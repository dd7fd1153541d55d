//! The harness' copy of a pod's timeline.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};

/// What has happened to a pod so far.
#[derive(Debug)]
pub(crate) struct PodTimeline {
    events: Mutex<Vec<TimelineEvent>>,
    progress: watch::Sender<TimelineProgress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TimelineProgress {
    events: usize,
    complete: bool,
}

impl PodTimeline {
    pub(crate) fn new() -> Self {
        Self {
            events: Mutex::default(),
            progress: watch::Sender::default(),
        }
    }

    /// Returns everything so far, in order.
    pub(crate) fn events(&self) -> Vec<TimelineEvent> {
        self.lock().clone()
    }

    /// Adds what the supervisor reported.
    pub(crate) fn append(&self, event: TimelineEvent) {
        let mut events = self.lock();
        events.push(event);
        let count = events.len();
        drop(events);
        self.progress
            .send_modify(|progress| progress.events = count);
    }

    /// Adds what happened at a moment though later moments may have been added already.
    pub(crate) fn place(&self, event: TimelineEvent) {
        let mut events = self.lock();
        let position = events
            .iter()
            .rposition(|earlier| earlier.at <= event.at)
            .map_or(0, |position| position + 1);
        events.insert(position, event);
        let count = events.len();
        drop(events);
        self.progress
            .send_modify(|progress| progress.events = count);
    }

    /// Closes the timeline: nothing of the pod runs any more.
    pub(crate) fn complete(&self) {
        let is_gone = |event: &TimelineEvent| event.event == LifecycleEvent::PodGone;
        if !self.lock().iter().any(is_gone) {
            self.append(TimelineEvent {
                at: Timestamp::now(),
                container: None,
                event: LifecycleEvent::PodGone,
            });
        }
        self.progress
            .send_modify(|progress| progress.complete = true);
    }

    /// Waits until there are more than `seen` events, or there will be no more.
    pub(crate) async fn beyond(&self, seen: usize) {
        let mut progress = self.progress.subscribe();
        let _ = progress
            .wait_for(|progress| progress.complete || progress.events > seen)
            .await;
    }

    /// Waits until the timeline has been closed.
    pub(crate) async fn completed(&self) {
        let mut progress = self.progress.subscribe();
        let _ = progress.wait_for(|progress| progress.complete).await;
    }

    /// Returns whether the pod is an endpoint of its Service now.
    pub(crate) fn is_ready(&self) -> bool {
        self.lock()
            .iter()
            .rev()
            .find_map(|event| match event.event {
                LifecycleEvent::PodReady => Some(true),
                LifecycleEvent::PodNotReady
                | LifecycleEvent::PodGone
                | LifecycleEvent::PodCreated => Some(false),
                LifecycleEvent::Started { .. }
                | LifecycleEvent::Exited(_)
                | LifecycleEvent::EndUnknown { .. }
                | LifecycleEvent::Probed { .. }
                | LifecycleEvent::StartupComplete
                | LifecycleEvent::ContainerReady
                | LifecycleEvent::ContainerNotReady
                | LifecycleEvent::DeletionRequested { .. }
                | LifecycleEvent::PreStopStarted
                | LifecycleEvent::PreStopFinished { .. }
                | LifecycleEvent::PreStopFailed { .. }
                | LifecycleEvent::PreStopOverran
                | LifecycleEvent::TermSent { .. }
                | LifecycleEvent::KillSent
                | LifecycleEvent::OutOfMemory
                | LifecycleEvent::Restarting { .. }
                | LifecycleEvent::FaultInjected { .. } => None,
            })
            .unwrap_or(false)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<TimelineEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: LifecycleEvent) -> TimelineEvent {
        TimelineEvent {
            at: Timestamp::UNIX_EPOCH,
            container: None,
            event,
        }
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_the_next_event_and_by_the_end() {
        let timeline = PodTimeline::new();
        timeline.append(event(LifecycleEvent::PodCreated));
        timeline.beyond(0).await;
        timeline.complete();
        timeline.beyond(usize::MAX).await;
        let names: Vec<_> = timeline
            .events()
            .into_iter()
            .map(|event| event.event)
            .collect();
        assert_eq!(names, [LifecycleEvent::PodCreated, LifecycleEvent::PodGone]);
    }

    #[test]
    fn readiness_is_what_was_said_last() {
        let timeline = PodTimeline::new();
        assert!(!timeline.is_ready());
        timeline.append(event(LifecycleEvent::PodReady));
        timeline.append(event(LifecycleEvent::KillSent));
        assert!(timeline.is_ready());
        timeline.append(event(LifecycleEvent::PodNotReady));
        assert!(!timeline.is_ready());
    }
}
