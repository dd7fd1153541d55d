//! Which statuses are right for the denials of a rollout.

use std::collections::BTreeMap;

use crate::procedure::rollout::{RolloutSpec, RolloutStep};
use harness_core::model::agent_description::AgentDescription;
use harness_core::model::located::Position;

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
        .unwrap_or_else(|| AgentDescription::default().block_status);
    of_candidates
        .chain([first])
        .map(|status| (status.value, status.position))
        .collect()
}
