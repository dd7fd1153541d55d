//! Judges whether a cluster lets a pod in, and what it says where it does not.

use super::judged::Judged;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};

/// Makes the finding of a pod that must be admitted and is refused with these words.
pub fn not_admitted(position: Position, words: String) -> Finding {
    Finding::new(
        FindingKind::Admission,
        position,
        "the cluster lets the pod in",
        words,
    )
}

/// Makes the finding of a pod that must be refused and is created.
pub fn not_refused(position: Position) -> Finding {
    Finding::new(
        FindingKind::Admission,
        position,
        "the cluster refuses the pod",
        "it was created",
    )
}

/// Checks that a refusal contains every text that it must, and reports it.
pub fn judge_refusal(says: &[Located<String>], words: String) -> Judged {
    let mut judged = Judged::default();
    for text in says {
        if !words.contains(text.as_str()) {
            judged.findings.push(Finding::new(
                FindingKind::Admission,
                text.position,
                format!("the refusal says `{}`", **text),
                words.clone(),
            ));
        }
    }
    judged.observe("the cluster's refusal", words);
    judged
}
