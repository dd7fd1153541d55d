//! Judges whether slow requests were under way when the pod's deletion was asked for.

use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;

/// Checks that all the slow requests were under way.
pub fn judge_under_way(sent: usize, under_way: usize) -> Option<Finding> {
    (under_way != sent).then(|| {
        Finding::new(
            FindingKind::NotExercised,
            Position::default(),
            format!("{sent} slow requests are under way when the deletion is asked for"),
            format!("{under_way} were"),
        )
    })
}
