//! Follows a pod by the API's watches until all of it has ended, and writes its timeline.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Client;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tokio_stream::StreamExt as _;

use crate::kube::api::latest::{Latest, PodPlace, Stage};
use crate::kube::logs::container_log::ContainerLog;
use crate::kube::logs::log_follower::follow;
use crate::kube::timeline::proxy_signal::ProxySignal;
use crate::kube::timeline::recorder::PodRecorder;
use crate::observe::ProcessReport;
use crate::pod_timeline::PodTimeline;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::PROXY_CONTAINER;

/// How often time alone is taken into account: a hook's grace period ends without a signal.
const TICK: Duration = Duration::from_millis(20);
/// How long a kubelet's signal of a hook may come after the pod is gone: it reports a failed hook beside its work.
const SIGNALS_WITHIN: Duration = Duration::from_secs(10);
/// How long the logs of a pod that is gone may take to end where nothing more comes.
const LOGS_END_WITHIN: Duration = Duration::from_secs(5);
/// How long they may take where more comes: the API forgets a pod that is deleted without grace at once, and its kubelet may take a while to kill it.
const LOGS_ARE_WRITTEN_FOR: Duration = Duration::from_mins(1);

/// What is known of a pod.
#[derive(Debug)]
pub(in crate::kube) struct PodView {
    pub timeline: PodTimeline,
    pub logs: BTreeMap<String, Arc<ContainerLog>>,
    recorder: Mutex<PodRecorder>,
    latest: watch::Sender<Latest>,
}

impl PodView {
    /// Begins with nothing seen.
    pub(in crate::kube) fn new(
        recorder: PodRecorder,
        containers: impl Iterator<Item = String>,
    ) -> Self {
        Self {
            timeline: PodTimeline::new(),
            logs: containers
                .map(|name| (name, Arc::new(ContainerLog::default())))
                .collect(),
            recorder: Mutex::new(recorder),
            latest: watch::Sender::default(),
        }
    }

    /// Returns what the API said last, and what it says from now on.
    pub(in crate::kube) fn latest(&self) -> watch::Receiver<Latest> {
        self.latest.subscribe()
    }

    /// Takes in what the processes of the pod did.
    pub(in crate::kube) fn process(&self, report: &ProcessReport) {
        self.learn(|recorder, now| recorder.process(now, report));
    }

    /// Adds what the harness itself did.
    pub(in crate::kube) fn record(&self, at: Timestamp, container: &str, event: LifecycleEvent) {
        self.timeline.place(TimelineEvent {
            at,
            container: Some(container.to_owned()),
            event,
        });
    }

    /// Takes in that the harness asks for the pod's deletion now.
    pub(in crate::kube) fn ask_deletion(&self) {
        self.learn(PodRecorder::ask_deletion);
    }

    /// Takes in what only time and the proxy's own log show.
    fn tick(&self, signal: &mut ProxySignal) {
        self.learn(|recorder, now| {
            let mut events = recorder.tick(now);
            if recorder.is_being_deleted()
                && let Some(log) = self.logs.get(PROXY_CONTAINER)
                && let Some(instance) = recorder.instance_of(PROXY_CONTAINER)
                && let Some(at) = signal.of_term(log, &instance)
            {
                events.extend(recorder.term_received(now, PROXY_CONTAINER, at));
            }
            events
        });
    }

    fn awaits_signals_of_hooks(&self) -> bool {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.awaits_signals_of_hooks(Timestamp::now())
    }

    fn is_concluded(&self) -> bool {
        let recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        recorder.is_concluded(Timestamp::now())
    }

    fn learn(&self, learn: impl FnOnce(&mut PodRecorder, Timestamp) -> Vec<TimelineEvent>) {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        for event in learn(&mut recorder, Timestamp::now()) {
            self.timeline.place(event);
        }
    }

    fn status(&self, pod: &Pod) {
        tracing::trace!(
            status = %serde_json::to_string(&pod.status).unwrap_or_default(),
            "the API reports a pod"
        );
        self.learn(|recorder, now| recorder.status(now, pod));
        self.latest
            .send_modify(|latest| latest.pod = Some(pod.clone()));
    }
}

/// Follows a pod until everything of it has ended, and its logs have.
pub(in crate::kube) async fn follow_pod(client: Client, place: PodPlace, view: Arc<PodView>) {
    let mut logs = JoinSet::new();
    for (container, log) in &view.logs {
        logs.spawn(follow(
            client.clone(),
            place.clone(),
            container.clone(),
            view.latest(),
            log.clone(),
        ));
    }
    let stage = watch_to_its_end(client, &place, &view).await;
    view.learn(|recorder, _| recorder.conclude());
    view.latest.send_modify(|latest| latest.stage = stage);
    let is_still_written = || view.logs.values().any(|log| log.is_still_written());
    if !end_of(&mut logs, is_still_written).await {
        tracing::warn!(
            pod = place.name,
            namespace = place.namespace,
            "a container's log did not end with its pod"
        );
        // They are not read any more when this returns.
        logs.shutdown().await;
        view.logs.values().for_each(|log| log.give_up());
    }
    view.timeline.complete();
}

/// Waits for the logs' ends for as long as more comes; returns whether they came.
async fn end_of(logs: &mut JoinSet<()>, is_still_written: impl Fn() -> bool) -> bool {
    let gone_at = Instant::now();
    loop {
        let ended = async { while logs.join_next().await.is_some() {} };
        if timeout(LOGS_END_WITHIN, ended).await.is_ok() {
            return true;
        }
        if !is_still_written() || gone_at.elapsed() >= LOGS_ARE_WRITTEN_FOR {
            return false;
        }
    }
}

async fn watch_to_its_end(client: Client, place: &PodPlace, view: &PodView) -> Stage {
    let PodPlace { namespace, name } = place;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client, namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let of_pod = watcher::Config::default().fields(&format!("involvedObject.name={name}"));
    let mut pods = std::pin::pin!(watcher(pods, only).default_backoff());
    let mut events = std::pin::pin!(watcher(events, of_pod).default_backoff());
    let mut tick = interval(TICK);
    let mut signal = ProxySignal::default();
    let mut signals_until = None;
    let mut seen = Seen::Never;
    loop {
        tokio::select! {
            change = pods.next() => match change {
                Some(Ok(change)) => {
                    seen = seen.after(&change);
                    match change {
                        watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) | watcher::Event::Delete(pod) => {
                            // The proxy's log may have more than the status shows.
                            view.tick(&mut signal);
                            view.status(&pod);
                        }
                        watcher::Event::Init | watcher::Event::InitDone => {}
                    }
                    if seen == Seen::Gone {
                        if !view.awaits_signals_of_hooks() {
                            return Stage::Gone;
                        }
                        signals_until.get_or_insert(Instant::now() + SIGNALS_WITHIN);
                    }
                }
                Some(Err(error)) => tracing::debug!(%error, %namespace, "the watch of a pod is taken up again"),
                None => return Stage::Gone,
            },
            change = events.next() => match change {
                Some(Ok(watcher::Event::Apply(event) | watcher::Event::InitApply(event))) => {
                    view.learn(|recorder, now| recorder.kubelet_event(now, &event));
                }
                Some(Ok(watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone)) => {}
                Some(Err(error)) => tracing::debug!(%error, %namespace, "the watch of events is taken up again"),
                None => return Stage::Gone,
            },
            _ = tick.tick() => {
                view.tick(&mut signal);
                if view.is_concluded() {
                    return if seen == Seen::Gone { Stage::Gone } else { Stage::Ended };
                }
                if signals_until.is_some_and(|until| Instant::now() >= until) {
                    return Stage::Gone;
                }
            }
        }
    }
}

/// Whether the pod is there. A watch that is taken up again begins with a list: a pod that is not in it has gone meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Never,
    There,
    Missing,
    Gone,
}

impl Seen {
    fn after<K>(self, change: &watcher::Event<K>) -> Self {
        match (change, self) {
            (watcher::Event::Delete(_), _) | (watcher::Event::InitDone, Self::Missing) => {
                Self::Gone
            }
            (watcher::Event::Apply(_) | watcher::Event::InitApply(_), _) => Self::There,
            (watcher::Event::Init, Self::There) => Self::Missing,
            (watcher::Event::Init | watcher::Event::InitDone, seen) => seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A log that ends after so many seconds.
    fn log_of(seconds: u64) -> JoinSet<()> {
        let mut logs = JoinSet::new();
        logs.spawn(tokio::time::sleep(Duration::from_secs(seconds)));
        logs
    }

    #[tokio::test(start_paused = true)]
    async fn logs_are_waited_for_while_more_comes_and_not_for_ever() {
        assert!(end_of(&mut log_of(4), || false).await);
        assert!(!end_of(&mut log_of(6), || false).await);
        assert!(end_of(&mut log_of(50), || true).await);
        assert!(!end_of(&mut log_of(3600), || true).await);
        let asked = AtomicUsize::new(0);
        let until_asked_twice = || asked.fetch_add(1, Ordering::Relaxed) < 1;
        assert!(!end_of(&mut log_of(50), until_asked_twice).await);
    }

    #[test]
    fn a_pod_that_is_missing_in_a_new_list_is_gone_and_one_that_was_never_seen_is_not() {
        let init = watcher::Event::<()>::Init;
        let done = watcher::Event::<()>::InitDone;
        assert_eq!(Seen::Never.after(&init).after(&done), Seen::Never);
        let there = Seen::Never.after(&watcher::Event::Apply(()));
        assert_eq!(there.after(&init).after(&done), Seen::Gone);
        let listed = there.after(&init).after(&watcher::Event::InitApply(()));
        assert_eq!(listed.after(&done), Seen::There);
    }
}
