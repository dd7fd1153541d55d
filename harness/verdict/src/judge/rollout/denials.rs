//! Holds the statuses with which attacks were denied against those of the agents that the fleet had: in a mixed fleet either is right, and
//! each pod has one.

use std::collections::{BTreeMap, BTreeSet};

use super::streams::StreamRequest;
use crate::judge::judged::Judged;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_core::model::outcome::Outcome;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::record::ClientResult;

/// Judges the statuses of all denials, and reports how often each was seen. `expected` has the statuses that are right, each with the place
/// that says so; `first` is the place of the one that the fleet begins with.
pub fn judge_denials(
    expected: &BTreeMap<u16, Position>,
    first: Position,
    requests: &[StreamRequest<'_>],
) -> Judged {
    let mut judged = Judged::default();
    let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
    let mut by_pod: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for StreamRequest { kind, request, .. } in requests {
        let client = &request.joined.client;
        let (ClientResult::Response(response), StreamKind::Attack, Outcome::BlockedByAgent) =
            (&client.result, kind, request.decide().outcome)
        else {
            continue;
        };
        *seen.entry(response.status).or_default() += 1;
        if let Some(pod) = request.pod() {
            by_pod.entry(pod).or_default().insert(response.status);
        }
    }
    for (status, count) in &seen {
        judged.observe(format!("attacks denied with {status}"), count.to_string());
        if !expected.contains_key(status) {
            let right: Vec<String> = expected.keys().map(ToString::to_string).collect();
            judged.findings.push(Finding::new(
                FindingKind::DenialStatus,
                first,
                format!("attacks are denied with {}", right.join(" or ")),
                format!("{count} were with {status}"),
            ));
        }
    }
    for (status, position) in expected {
        if !seen.contains_key(status) {
            judged.findings.push(Finding::new(
                FindingKind::DenialStatus,
                *position,
                format!("attacks are denied with {status} by the agent that has it"),
                "none was",
            ));
        }
    }
    for (pod, statuses) in by_pod {
        if statuses.len() > 1 {
            judged.findings.push(Finding::new(
                FindingKind::DenialStatus,
                Position::default(),
                format!("`{pod}` denies with one status"),
                format!("it denied with {statuses:?}"),
            ));
        }
    }
    judged
}
