//! Holds the statuses with which attacks were denied against those of the agents that the fleet had: in a mixed fleet either is right, and
//! each pod has one.

use harness_core::model::finding_kind::FindingKind;
use std::collections::{BTreeMap, BTreeSet};

use crate::procedure::ProcedureResults;
use crate::procedure::rollout::RolloutSpec;
use crate::procedure::rollout::RolloutStep;
use crate::procedure::stream_pair::StreamPair;
use harness_core::model::finding::Finding;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::record::ClientResult;
use harness_verdict::witness::fleet::FleetJoined;

/// The status with which an agent denies that nobody has told otherwise.
const DEFAULT_DENIAL: u16 = 406;

/// Judges the statuses of all denials, and reports how often each was seen.
pub(super) fn judge(
    spec: &RolloutSpec,
    pair: &StreamPair,
    joined: &[FleetJoined],
    results: &mut ProcedureResults,
) {
    let expected = expected(spec);
    let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
    let mut by_pod: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for request in joined {
        let client = &request.joined.client;
        let (ClientResult::Response(response), StreamKind::Attack, Outcome::BlockedByAgent) = (
            &client.result,
            pair.of(client).kind,
            request.decide().outcome,
        ) else {
            continue;
        };
        *seen.entry(response.status).or_default() += 1;
        if let Some(pod) = request.pod() {
            by_pod.entry(pod).or_default().insert(response.status);
        }
    }
    for (status, count) in &seen {
        results
            .observations
            .insert(format!("attacks denied with {status}"), count.to_string());
        if !expected.contains_key(status) {
            let right: Vec<String> = expected.keys().map(ToString::to_string).collect();
            results.findings.push(Finding::new(
                FindingKind::DenialStatus,
                spec.denied_with
                    .as_ref()
                    .map_or_else(Position::default, |status| status.position),
                format!("attacks are denied with {}", right.join(" or ")),
                format!("{count} were with {status}"),
            ));
        }
    }
    for (status, position) in &expected {
        if !seen.contains_key(status) {
            results.findings.push(Finding::new(
                FindingKind::DenialStatus,
                *position,
                format!("attacks are denied with {status} by the agent that has it"),
                "none was",
            ));
        }
    }
    for (pod, statuses) in by_pod {
        if statuses.len() > 1 {
            results.findings.push(Finding::new(
                FindingKind::DenialStatus,
                Position::default(),
                format!("`{pod}` denies with one status"),
                format!("it denied with {statuses:?}"),
            ));
        }
    }
}

/// Returns the statuses that are right, each with the place that says so.
fn expected(spec: &RolloutSpec) -> BTreeMap<u16, Position> {
    let of_candidates = spec.steps.iter().filter_map(|step| match &**step {
        RolloutStep::Upgrade(candidate) => candidate.denied_with,
        RolloutStep::Restart
        | RolloutStep::Scale(_)
        | RolloutStep::Evict
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
