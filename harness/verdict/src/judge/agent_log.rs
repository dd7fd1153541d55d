//! Judges what an agent's log says.

use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Located;

/// Checks that a log contains every text; one that is absent is a finding.
pub fn judge_text(says: &[Located<String>], log: &str) -> Vec<Finding> {
    let last = log
        .lines()
        .rfind(|line| !line.starts_with('{'))
        .unwrap_or("(nothing)");
    says.iter()
        .filter(|text| !log.contains(text.as_str()))
        .map(|text| {
            Finding::new(
                FindingKind::AgentLog,
                text.position,
                format!("the agent's log says `{}`", **text),
                format!("its last line: {}", last.escape_debug()),
            )
        })
        .collect()
}
