//! Which statuses are right for the denials of a rollout.

use std::collections::BTreeMap;

use crate::procedure::rollout::{RolloutSpec, RolloutStep};
use harness_core::model::located::{Located, Position};

/// The status with which an agent denies that has no other one configured.
const DEFAULT_DENIAL: u16 = 406;

/// Returns the statuses that are right, each with the place that says so.
pub(super) fn expected(spec: &RolloutSpec) -> BTreeMap<u16, Position> {
    let of_candidates = spec.steps.iter().filter_map(|step| match &**step {
        RolloutStep::Upgrade(candidate) => candidate.denied_with,
        RolloutStep::Restart
        | RolloutStep::Scale(_)
        | RolloutStep::Evict
        | RolloutStep::DrainNode
        | RolloutStep::Kill
        | RolloutStep::KillAgent
        | RolloutStep::RotateSecret(_)
        | RolloutStep::Rollback => None,
    });
    let first = spec
        .denied_with
        .unwrap_or_else(|| Located::unwritten(DEFAULT_DENIAL));
    of_candidates
        .chain([first])
        .map(|status| (status.value, status.position))
        .collect()
}
