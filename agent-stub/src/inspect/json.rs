//! The strings of a JSON text, found without building a tree.
//!
//! A scanner in place of a parser, because bodies arrive cut short: it yields each string up to the cut, the last one
//! unfinished, needs no recursion however deep the text nests, and says when the text is not JSON at all.

use std::borrow::Cow;

/// What the scanner found between two quotes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct JsonString<'text> {
    /// The decoded text.
    pub(crate) text: &'text str,
    /// Whether it names a member or is a value.
    pub(crate) role: Role,
    /// For a value, the name of the nearest member before it.
    pub(crate) name: &'text str,
}

/// What a string is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// The name of an object's member.
    Name,
    /// A value.
    Value,
}

/// How far the scan came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scan {
    /// All of the text was scanned, and all of it was JSON's vocabulary.
    Whole,
    /// The text is not JSON, or has too many strings; it should be read as plain text.
    NotJson,
}

/// Calls `visit` for each string of the text.
pub(crate) fn scan_strings(text: &str, mut visit: impl FnMut(JsonString<'_>)) -> Scan {
    let mut name = Cow::Borrowed("");
    let mut rest = text;
    for _ in 0..STRING_LIMIT {
        let Some(quote) = rest.find('"') else {
            return vocabulary(rest);
        };
        if vocabulary(&rest[..quote]) == Scan::NotJson {
            return Scan::NotJson;
        }
        let (decoded, after) = read_string(&rest[quote + 1..]);
        rest = after;
        if rest.trim_start().starts_with(':') {
            name = decoded;
            visit(JsonString {
                text: &name,
                role: Role::Name,
                name: "",
            });
        } else {
            visit(JsonString {
                text: &decoded,
                role: Role::Value,
                name: &name,
            });
        }
    }
    Scan::NotJson
}

fn vocabulary(between_strings: &str) -> Scan {
    let is_json = between_strings.bytes().all(|byte| {
        byte.is_ascii_whitespace()
            || byte.is_ascii_digit()
            || matches!(
                byte,
                b'{' | b'}' | b'[' | b']' | b':' | b',' | b'.' | b'+' | b'-' | b'E'
            )
            || matches!(
                byte,
                b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n'
            )
    });
    if is_json { Scan::Whole } else { Scan::NotJson }
}

/// Reads a string from after its opening quote on; returns its text and what follows the closing quote.
pub(crate) fn read_string(text: &str) -> (Cow<'_, str>, &str) {
    let next = |text: &str| text.bytes().position(|byte| matches!(byte, b'"' | b'\\'));
    let Some(first) = next(text) else {
        return (text.into(), "");
    };
    if text[first..].starts_with('"') {
        return (text[..first].into(), &text[first + 1..]);
    }
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(at) = next(rest) {
        decoded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('"') {
            return (decoded.into(), after);
        }
        rest = read_escape(after, &mut decoded);
    }
    decoded.push_str(rest);
    (decoded.into(), "")
}

fn read_escape<'text>(escape: &'text str, decoded: &mut String) -> &'text str {
    let mut characters = escape.chars();
    match characters.next() {
        None => "",
        Some('u') => read_unicode_escape(characters.as_str(), decoded),
        Some(escaped) => {
            decoded.push(unescaped(escaped));
            characters.as_str()
        }
    }
}

fn read_unicode_escape<'text>(digits: &'text str, decoded: &mut String) -> &'text str {
    let Some((unit, after)) = utf16_unit(digits) else {
        return digits;
    };
    let low = after.strip_prefix("\\u").and_then(utf16_unit);
    let mut characters = char::decode_utf16([unit].into_iter().chain(low.map(|(low, _)| low)));
    let character = characters
        .next()
        .and_then(Result::ok)
        .unwrap_or(char::REPLACEMENT_CHARACTER);
    decoded.push(character);
    match low {
        Some((_, rest)) if character.len_utf16() == 2 => rest,
        Some(_) | None => after,
    }
}

fn utf16_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hexadecimal {
        return None;
    }
    u16::from_str_radix(digits, 16)
        .ok()
        .map(|unit| (unit, after))
}

fn unescaped(escaped: char) -> char {
    match escaped {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

const STRING_LIMIT: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> (Vec<(Role, String, String)>, Scan) {
        let mut found = Vec::new();
        let scan = scan_strings(text, |string| {
            found.push((string.role, string.name.into(), string.text.into()));
        });
        (found, scan)
    }

    fn name(text: &str) -> (Role, String, String) {
        (Role::Name, String::new(), text.into())
    }

    fn value(name: &str, text: &str) -> (Role, String, String) {
        (Role::Value, name.into(), text.into())
    }

    #[test]
    fn names_and_values_are_distinguished() {
        let (found, scan) = strings(r#"{"a": ["x", 1, true, null, -1.5e3], "b" : {"c": "y"}}"#);
        assert_eq!(
            found,
            [
                name("a"),
                value("a", "x"),
                name("b"),
                name("c"),
                value("c", "y")
            ]
        );
        assert_eq!(scan, Scan::Whole);
    }

    #[test]
    fn escapes_are_decoded_and_surrogates_joined() {
        let (found, _) = strings(r#"["\u003cscript\u003e \"q\" \\ \ud83d\ude00 \ud83d \u12"]"#);
        assert_eq!(
            found,
            [value("", "<script> \"q\" \\ \u{1f600} \u{fffd} 12")]
        );
    }

    #[test]
    fn a_text_that_is_cut_short_yields_its_unfinished_string() {
        let (found, scan) = strings(r#"{"a": "' OR 1=1"#);
        assert_eq!(found, [name("a"), value("a", "' OR 1=1")]);
        assert_eq!(scan, Scan::Whole);
    }

    #[test]
    fn a_text_that_is_not_json_is_named_so() {
        assert_eq!(strings("{'a': 'x'}").1, Scan::NotJson);
        assert_eq!(strings(r#"q=<script> "x""#).1, Scan::NotJson);
    }
}
