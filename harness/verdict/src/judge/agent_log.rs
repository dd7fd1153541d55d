//! Judges what an agent's log says.

use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Located;

/// Tells whether a log contains a text, without regard to case: the same error of the system is written so by one language and otherwise by
/// another.
pub fn log_says(log: &str, text: &str) -> bool {
    log.to_lowercase().contains(&text.to_lowercase())
}

/// Checks that a log contains every text; one that is absent is a finding.
pub fn judge_text(says: &[Located<String>], log: &str) -> Vec<Finding> {
    let last = log
        .lines()
        .rfind(|line| !line.starts_with('{'))
        .unwrap_or("(nothing)");
    says.iter()
        .filter(|text| !log_says(log, text))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_the_spelling_of_any_language() {
        let says = [Located::unwritten("read-only file system".to_owned())];
        for log in [
            "/sigsci/tmp: Read-only file system (os error 30)",
            "mkdir /sigsci/tmp/cache: read-only file system",
        ] {
            assert_eq!(judge_text(&says, log), Vec::new(), "{log}");
        }
        assert_eq!(judge_text(&says, "no space left on device").len(), 1);
    }
}
