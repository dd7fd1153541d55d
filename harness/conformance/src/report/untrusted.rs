//! Makes text off the wire harmless for a terminal and for whoever reads a report.

/// Writes out what moves a cursor or turns the direction of reading: control characters but line ends, and Unicode's bidirectional
/// controls, which are no control characters by their category.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let moves = character.is_control() && character != '\n';
        let turns = matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if moves || turns {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Cuts text to so many characters, and says at its end how many are left out.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(limit) else {
        return text.into();
    };
    let left_out = text[end..].chars().count();
    format!("{}… ({left_out} more characters)", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_over_the_limit_is_cut_and_its_rest_is_counted() {
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöüß!", 3), "äöü… (2 more characters)");
    }

    #[test]
    fn what_moves_or_turns_is_written_out_and_all_else_stays() {
        assert_eq!(
            harmless("a\u{1b}[31m\r\u{202e}é\n"),
            "a\\u{1b}[31m\\u{d}\\u{202e}é\n"
        );
    }
}
