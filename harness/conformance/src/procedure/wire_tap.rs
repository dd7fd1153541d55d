//! Reads what passes between a pod's proxy and its agent, from the proxy's admin endpoint, as long as the pod stands.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::{ADMIN_PORT, PROXY_CONTAINER, TAP_ID};
use harness_environment::Pod;
use harness_environment::growing_answer::GrowingAnswer;
use harness_verdict::witness::wire::{WireReading, WireRecord};
use harness_wire::WireReader;

/// The most of one read or write of a socket that the proxy reports, in bytes: more than it ever moves at once.
const EVENT_LIMIT_BYTES: u32 = 16 * 1024 * 1024;

/// How often a proxy that does not answer yet is asked again.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// A reader of one pod's wire. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct WireTap {
    heard: Arc<Mutex<Heard>>,
    _reading: JoinSet<()>,
}

/// What was read since the last look.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Checks that are over.
    pub records: Vec<WireRecord>,
    /// What could not be read, each a sentence.
    pub losses: Vec<String>,
    /// Whether all that passes is read.
    pub reading: WireReading,
}

impl WireTap {
    /// Begins to ask the pod's proxy, and asks again when its answer ends: a proxy may be started again.
    pub(super) fn start(pod: &Arc<dyn Pod>) -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let mut reading = JoinSet::new();
        // A pod is removed when nobody holds it, and a reader is no reason to keep it.
        reading.spawn(read(Arc::downgrade(pod), Arc::clone(&heard)));
        Self {
            heard,
            _reading: reading,
        }
    }

    /// Returns whether the proxy has begun to tell what passes.
    pub(super) fn has_begun(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.reading == WireReading::Whole
    }

    /// Takes what was read since the last look.
    pub(super) fn take(&self) -> Heard {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = heard.reading;
        let taken = take(&mut *heard);
        heard.reading = reading;
        taken
    }
}

async fn read(pod: Weak<dyn Pod>, heard: Arc<Mutex<Heard>>) {
    let mut asking = interval(ASKED_EVERY);
    asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        asking.tick().await;
        let Some(pod) = pod.upgrade() else { return };
        if !proxy_runs(&pod.timeline()) {
            continue;
        }
        let Ok(stream) = pod.connect(ADMIN_PORT).await else {
            continue;
        };
        drop(pod);
        let Ok(mut answer) = GrowingAnswer::post(stream, "/tap", question()).await else {
            continue;
        };
        // A proxy that has not set its clusters up yet knows no such tap.
        if answer.status != 200 {
            continue;
        }
        let mut reader = WireReader::default();
        note(&heard, &mut reader, WireReading::Whole);
        while let Ok(Some(piece)) = answer.next().await {
            reader.feed(&piece);
            note(&heard, &mut reader, WireReading::Whole);
        }
        reader.finish();
        note(&heard, &mut reader, WireReading::Partial);
    }
}

/// Returns whether the proxy runs, as far as the timeline says, and is to go on running.
fn proxy_runs(timeline: &[TimelineEvent]) -> bool {
    let is_deleted = timeline
        .iter()
        .any(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
    let last = timeline.iter().rev().find(|event| {
        let changes = matches!(
            event.event,
            LifecycleEvent::Started { .. }
                | LifecycleEvent::Exited(_)
                | LifecycleEvent::EndUnknown { .. }
        );
        changes && event.container.as_deref() == Some(PROXY_CONTAINER)
    });
    let runs = last.is_some_and(|event| matches!(event.event, LifecycleEvent::Started { .. }));
    runs && !is_deleted
}

fn note(heard: &Mutex<Heard>, reader: &mut WireReader, reading: WireReading) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.records.extend(reader.take_records());
    let losses = reader.take_losses();
    heard.reading = match reading {
        WireReading::Whole if losses.is_empty() => WireReading::Whole,
        WireReading::Whole | WireReading::Partial => WireReading::Partial,
    };
    heard.losses.extend(losses);
}

fn question() -> String {
    let tap = json!({
        "config_id": TAP_ID,
        "tap_config": {
            "match": { "any_match": true },
            "output_config": {
                "streaming": true,
                "max_buffered_rx_bytes": EVENT_LIMIT_BYTES,
                "max_buffered_tx_bytes": EVENT_LIMIT_BYTES,
                "sinks": [{ "format": "JSON_BODY_AS_BYTES", "streaming_admin": {} }],
            },
        },
    });
    tap.to_string()
}
