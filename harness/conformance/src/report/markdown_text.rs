//! Text that may come off the wire within Markdown: it is shown as it is, and is never markup.

use super::untrusted::{bounded, harmless};

/// The longest text of one line, in characters.
const LINE_LIMIT: usize = 400;
/// The longest text of a block, in characters.
const BLOCK_LIMIT: usize = 4_000;

/// Makes a code span: within one nothing is markup but the backticks that end it, and there are more of those than stand in a row in the
/// text. Not for cells of tables, where a pipe ends the cell also within code.
pub(super) fn code(text: &str) -> String {
    let text = harmless(&bounded(text, LINE_LIMIT)).replace('\n', " ⏎ ");
    if text.trim().is_empty() {
        return "(empty)".into();
    }
    let fence = "`".repeat(longest_row_of_backticks(&text) + 1);
    let is_at_an_end = |character| text.starts_with(character) || text.ends_with(character);
    // A space at both ends is no part of the span.
    let space = if is_at_an_end('`') || is_at_an_end(' ') {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

/// Makes a block of code, between blank lines.
pub(super) fn block(text: &str) -> String {
    let text = harmless(&bounded(text, BLOCK_LIMIT));
    let fence = "`".repeat(longest_row_of_backticks(&text).max(2) + 1);
    format!("\n{fence}text\n{text}\n{fence}\n")
}

fn longest_row_of_backticks(text: &str) -> usize {
    let rows = text.split(|character| character != '`');
    rows.map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::markup("</details>| *b* <script>", "`</details>| *b* <script>`")]
    #[case::backticks("a``b`", "``` a``b` ```")]
    #[case::lines("a\n# b", "`a ⏎ # b`")]
    #[case::control_characters("\u{1b}[31m\r", "`\\u{1b}[31m\\u{d}`")]
    #[case::nothing(" \n", "`   ⏎  `")]
    #[case::empty("", "(empty)")]
    fn a_code_span_is_one_line_that_its_text_cannot_end(#[case] text: &str, #[case] span: &str) {
        assert_eq!(code(text), span);
    }

    #[test]
    fn a_block_has_a_fence_that_its_text_cannot_end() {
        assert_eq!(
            block("a\n````\n</details>"),
            "\n`````text\na\n````\n</details>\n`````\n"
        );
    }

    #[test]
    fn endless_text_is_cut() {
        assert!(code(&"x".repeat(1_000_000)).len() < 500);
        assert!(block(&"x".repeat(1_000_000)).len() < 4_100);
    }
}
