//! SQL injection: libinjection's verdict, less the fingerprints that plain prose and arithmetic share.

use libinjectionrs::{Fingerprint, detect_sqli};

/// Returns the detector's name with the fingerprint when the text is SQL injection.
pub(crate) fn detect(text: &str) -> Option<String> {
    if text.len() < SHORTEST_ATTACK {
        return None;
    }
    let verdict = detect_sqli(text.as_bytes());
    let fingerprint = verdict
        .fingerprint
        .as_ref()
        .map(Fingerprint::as_str)
        .unwrap_or_default();
    let is_attack = verdict.is_injection() && !is_prose(fingerprint, text);
    is_attack.then(|| format!("LIBINJECTION-SQLI-{fingerprint}"))
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
