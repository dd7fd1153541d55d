//! What the kinds of findings mean: one in full, all of them in a list, and the page of the documentation.

use std::fmt::Write;

use harness_core::model::finding_kind::{FindingKind, Severity};

/// How many near names an error suggests.
const SUGGESTIONS: usize = 3;

/// What the page begins with.
const PREAMBLE: &str = "<!-- Made by `conformance explain --findings --markdown`; do not edit. -->

# Kinds of findings

A finding says that something which had to be seen was not seen. Its kind is the same in the console's lines, in `report.json` and as the type of a
failure in `junit.xml`. `conformance explain --finding KIND` shows one of them.
";

/// Explains one kind.
pub(super) fn explain(kind: FindingKind) -> String {
    let severity = kind.severity();
    format!(
        "{kind} ({severity})\n  means:       {}\n  look at:     {}\n  severity:    {severity}: {}",
        kind.meaning(),
        kind.next_step(),
        severity.meaning()
    )
}

/// Lists every kind with what it means, in a line each.
pub(super) fn list() -> String {
    let lines: Vec<String> = FindingKind::ALL
        .iter()
        .map(|kind| format!("{kind:<26} {:<8} {}", kind.severity(), kind.meaning()))
        .collect();
    lines.join("\n")
}

/// Makes the page of the documentation, without its last line break.
pub(super) fn markdown() -> String {
    let mut page = PREAMBLE.to_owned();
    for severity in Severity::ALL {
        let _ = write!(
            page,
            "\n## {severity}\n\n{}\n\n| kind | what it means | what to look at next |\n| --- | --- | --- |\n",
            severity.meaning()
        );
        for kind in FindingKind::ALL {
            if kind.severity() == severity {
                let (meaning, next) = (kind.meaning(), kind.next_step());
                let _ = writeln!(page, "| `{kind}` | {meaning} | {next} |");
            }
        }
    }
    page.trim_end().to_owned()
}

/// Returns the names of the kinds that are nearest to a text.
pub(in crate::cli) fn nearest_kinds(text: &str) -> Vec<&'static str> {
    let mut ranked: Vec<(f64, &str)> = FindingKind::ALL
        .iter()
        .map(|kind| (strsim::jaro_winkler(text, kind.as_str()), kind.as_str()))
        .collect();
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
    ranked
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_explained_with_all_that_the_table_has_of_it() {
        let explained = explain(FindingKind::LeakedAttack);
        assert!(
            explained.starts_with("leaked-attack (critical)\n"),
            "{explained}"
        );
        for part in [
            FindingKind::LeakedAttack.meaning(),
            FindingKind::LeakedAttack.next_step(),
            Severity::Critical.meaning(),
        ] {
            assert!(explained.contains(part), "{explained}");
        }
    }

    #[test]
    fn list_and_page_have_every_kind_once() {
        let (list, page) = (list(), markdown());
        assert_eq!(list.lines().count(), FindingKind::ALL.len());
        for kind in FindingKind::ALL {
            let starting = format!("{kind} ");
            let lines = list.lines().filter(|line| line.starts_with(&starting));
            assert_eq!(lines.count(), 1, "{kind}");
            assert_eq!(page.matches(&format!("| `{kind}` |")).count(), 1, "{kind}");
        }
    }

    #[test]
    fn a_misspelt_kind_is_near_the_one_that_was_meant() {
        assert_eq!(nearest_kinds("leaked-atack")[0], "leaked-attack");
        assert_eq!(nearest_kinds("outcom").len(), SUGGESTIONS);
    }
}
