//! A container's preStop hook: what it is, how far it is, and what of the grace period it has used.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Container;

/// What the harness sees of a hook lies within this time of what the kubelet counts: a hook that ends so shortly before its deadline has been
/// ended by it, and what the container has left is the same in either case.
const DEADLINE_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

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
pub(super) enum HookState {
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

impl Hook {
    /// Reads the hook out of the pod template.
    pub(super) fn of(container: &Container) -> Option<Self> {
        let hook = container.lifecycle.as_ref()?.pre_stop.as_ref()?;
        if let Some(exec) = &hook.exec {
            return Some(Self::Exec(exec.command.clone().unwrap_or_default()));
        }
        if let Some(sleep) = &hook.sleep {
            return Some(Self::Sleep(
                u64::try_from(sleep.seconds).unwrap_or_default(),
            ));
        }
        Some(Self::Http)
    }
}

/// Tells whether a hook that ended after this time was ended by its deadline.
pub(super) fn has_used_up(used: SignedDuration, grace_seconds: u64) -> bool {
    used.saturating_add(DEADLINE_TOLERANCE) >= whole_seconds(grace_seconds)
}

/// Returns a span of whole seconds.
pub(super) fn whole_seconds(seconds: u64) -> SignedDuration {
    SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(SignedDuration::MAX)
}

/// Returns the whole seconds between two moments, as the kubelet counts them.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or_default()
}
