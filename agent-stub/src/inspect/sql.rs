//! SQL injection: libinjection's verdict, less the fingerprints that plain prose and arithmetic share.

use libinjectionrs::{SqliFlags, SqliState};

use crate::inspect::characters::Characters;

/// Returns the detector's name with the fingerprint when the text is SQL injection.
pub(crate) fn detect(text: &str, characters: Characters) -> Option<String> {
    if text.len() < SHORTEST_ATTACK || is_one_token(text, characters) {
        return None;
    }
    let mut state = SqliState::new(text.as_bytes(), SqliFlags::FLAG_NONE);
    if !state.detect() {
        return None;
    }
    // What `detect_sqli` of the crate puts together for every text, a second time, is wanted for attacks only.
    let fingerprint = state.get_fingerprint();
    let fingerprint = fingerprint.as_str();
    (!is_prose(fingerprint, text)).then(|| format!("LIBINJECTION-SQLI-{fingerprint}"))
}

// A word or a number. The shortest fingerprints of attacks have two tokens, but for the one of a comment.
fn is_one_token(text: &str, characters: Characters) -> bool {
    characters.are_among(Characters::DIGITS)
        || characters.are_among(Characters::WORD)
            && !text.starts_with(|first: char| first.is_ascii_digit())
}

const SHORTEST_ATTACK: usize = 4;

fn is_prose(fingerprint: &str, text: &str) -> bool {
    match fingerprint {
        // `sleep(5) is a function`, `max(price)`, `println!("text")`: a call that a word follows, a function of a column, and a
        // call that is no function of SQL.
        "f(1)o" | "f(n)" | "no(s)" => true,
        // `any '|' counts`: a quoted character in a sentence. An injected quote ends the value before it, so it stands at
        // the start or touches that value.
        "sos" => opens_a_quotation(text),
        // `10--20`: a range, not a number with a comment.
        "1c" => text
            .split_once("--")
            .is_some_and(|(_, after)| after.starts_with(|next: char| next.is_ascii_digit())),
        // `1 < 2 and 3 > 2`, `1 or 2`: numbers joined by a word. An injected condition follows the number at once and
        // compares something: `1 or 1=1`.
        "1&1" => !is_injected_condition(text),
        _ => false,
    }
}

fn opens_a_quotation(text: &str) -> bool {
    let Some(quote) = text.find(['\'', '"']) else {
        return false;
    };
    let before = &text[..quote];
    before.ends_with([' ', '\t', '(', '<', '['])
        && before.contains(|letter: char| letter.is_alphabetic())
}

fn is_injected_condition(text: &str) -> bool {
    let after_number = text.trim_start_matches(|character: char| {
        character.is_ascii_digit() || matches!(character, ' ' | '-' | '.' | '(' | ')')
    });
    let starts_with_operator = ["and", "or", "xor", "&&", "||", "/*", "\t", "\n"]
        .iter()
        .any(|operator| after_number.to_ascii_lowercase().starts_with(operator));
    starts_with_operator
        && (after_number.contains(['=', '<', '>'])
            || after_number.to_ascii_lowercase().contains("like"))
}
