//! The fact in one of the kubelet's events.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;

use super::fact::{KubeletSignal, Observation, What};
use harness_core::model::timeline::ProbeKind;

/// Returns what an event says of a container; none where it says nothing that a timeline has.
pub(super) fn observation(heard_at: Timestamp, event: &Event) -> Option<Observation> {
    let path = event.involved_object.field_path.as_deref();
    let container = path.and_then(container_of)?.to_owned();
    let message = event.message.clone().unwrap_or_default();
    let signal = match event.reason.as_deref()? {
        "Unhealthy" => KubeletSignal::ProbeFailed {
            probe: probe_of(&message)?,
            message,
        },
        "Killing" if message.contains("probe") => KubeletSignal::Restarts { reason: message },
        "Killing" => KubeletSignal::Stops,
        "FailedPreStopHook" => KubeletSignal::HookFailed { reason: message },
        _ => return None,
    };
    let what = What::KubeletEvent {
        id: event.metadata.uid.clone().unwrap_or_default(),
        count: event.count.unwrap_or(1).max(1),
        container,
        signal,
    };
    Some(Observation {
        earliest: dated(event),
        latest: heard_at,
        what,
    })
}

/// Returns when the kubelet said it last, in whole seconds.
fn dated(event: &Event) -> Option<Timestamp> {
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.or_else(|| event.event_time.as_ref().map(|time| time.0))
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
    .find(|(beginning, _)| message.starts_with(beginning))
    .map(|(_, probe)| probe)
}
