//! Judges what holds for a round of requests all together: the totals, and the connection that they share.

use std::collections::BTreeSet;

use crate::witness::join::Joined;
use crate::witness::reconciliation::Reconciliation;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;

/// Names the totals that do not agree.
pub fn judge_totals(reconciliation: &Reconciliation) -> Vec<Finding> {
    reconciliation
        .discrepancies
        .iter()
        .map(|discrepancy| {
            Finding::new(
                FindingKind::Reconciliation,
                Position::default(),
                "the witnesses' totals agree",
                discrepancy.as_str(),
            )
        })
        .collect()
}

/// Checks that requests which were to share a connection did, by the proxy's numbers.
pub fn judge_connection(joined: impl Iterator<Item = Joined>) -> Option<Finding> {
    let connections: BTreeSet<Option<u64>> = joined
        .filter_map(|joined| joined.proxy.first().map(|proxy| proxy.connection))
        .collect();
    (connections.len() > 1).then(|| {
        Finding::new(
            FindingKind::ConnectionReuse,
            Position::default(),
            "all requests on one connection",
            format!("the proxy saw {} connections", connections.len()),
        )
    })
}
