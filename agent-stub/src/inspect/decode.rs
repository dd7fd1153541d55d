//! The decodings of a value: what the layers of an application may make of it before it reaches an interpreter.
//!
//! Percent encoding is undone up to three times. From its last form, HTML entities, backslash escapes and base64 are
//! undone once each. Every step is linear, and there are at most eight texts for a value.

use std::borrow::Cow;
use std::mem::replace;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::inspect::characters::Characters;
use crate::inspect::entity::{Entities, resolve};
use crate::inspect::escape::{percent_decoded, unescaped};
use crate::inspect::field::Spaces;

/// One decoding of a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Decoded<'value> {
    /// The text.
    pub(crate) text: Cow<'value, str>,
    /// Its characters.
    pub(crate) characters: Characters,
    /// How it was arrived at.
    pub(crate) reading: Reading,
}

/// How a decoding was arrived at, as far as detectors care.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reading {
    /// Nothing that an author does to show markup was undone.
    Plain,
    /// Named entities were resolved. `&lt;script&gt;` was escaped by someone and is not script, but it may be a command.
    Resolved,
}

/// Returns the distinct decodings of a value, the written one first.
pub(crate) fn decodings(value: &str, spaces: Spaces) -> Vec<Decoded<'_>> {
    let mut last = match spaces {
        Spaces::FromPlus if value.contains('+') => plain(value.replace('+', " ").into()),
        Spaces::FromPlus | Spaces::AsWritten => plain(value.into()),
    };
    let mut all = Vec::with_capacity(1);
    for _ in 0..PERCENT_ROUNDS {
        let Some(decoded) = if_any(&last, PERCENT, percent_decoded) else {
            break;
        };
        all.push(replace(&mut last, plain(decoded.into())));
    }
    let mut others = Vec::new();
    let numeric = if_any(&last, AMPERSAND, |text| resolve(text, Entities::Numeric));
    others.extend(numeric.map(|text| plain(text.into())));
    let unescaped = if_any(&last, BACKSLASH, unescaped);
    others.extend(unescaped.map(|text| plain(text.into())));
    let from_base64 = from_base64(&last.text, last.characters);
    others.extend(from_base64.map(|text| plain(text.into())));
    let resolved = if_any(&last, AMPERSAND, |text| resolve(text, Entities::All));
    others.extend(resolved.map(|text| Decoded {
        reading: Reading::Resolved,
        ..plain(text.into())
    }));
    all.push(last);
    all.append(&mut others);
    all
}

// Undoes an encoding, where the character is there without which there is none.
fn if_any(
    last: &Decoded<'_>,
    mark: Characters,
    undo: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    if last.characters.has_any(mark) {
        undo(&last.text)
    } else {
        None
    }
}

fn plain(text: Cow<'_, str>) -> Decoded<'_> {
    Decoded {
        characters: Characters::of(&text),
        text,
        reading: Reading::Plain,
    }
}

// Words and identifiers are valid base64 too; what they decode to is hardly ever printable.
fn from_base64(text: &str, characters: Characters) -> Option<String> {
    if characters.has_any(NEVER_BASE64) {
        return None;
    }
    let text = text.trim();
    let is_candidate = (SHORTEST_BASE64..=LONGEST_BASE64).contains(&text.len())
        && Characters::of(text).are_among(IN_BASE64);
    if !is_candidate {
        return None;
    }
    // In a query a plus sign has become a space by now, and the address-safe alphabet has other signs.
    let mut standard = text.as_bytes().to_vec();
    for byte in &mut standard {
        match byte {
            b' ' | b'-' => *byte = b'+',
            b'_' => *byte = b'/',
            _ => {}
        }
    }
    let decoded = String::from_utf8(BASE64.decode(standard).ok()?).ok()?;
    let is_printable = decoded
        .chars()
        .all(|character| !character.is_control() || matches!(character, '\t' | '\n' | '\r'));
    (is_printable && !decoded.is_empty()).then_some(decoded)
}

const PERCENT: Characters = Characters::of("%");
const AMPERSAND: Characters = Characters::of("&");
const BACKSLASH: Characters = Characters::of("\\");
const IN_BASE64: Characters = Characters::of("a0+/-_= ");
// White space around a text is cut off; none of these is.
const NEVER_BASE64: Characters = Characters::of("!\"#$%&'()*,.:;<>?@[\\]^`{|}~\0");
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const PERCENT_ROUNDS: usize = 3;
const SHORTEST_BASE64: usize = 8;
const LONGEST_BASE64: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn texts(value: &str, spaces: Spaces) -> Vec<String> {
        decodings(value, spaces)
            .into_iter()
            .map(|decoded| decoded.text.into_owned())
            .collect()
    }

    #[rstest]
    #[case("plain", Spaces::AsWritten, &["plain"])]
    #[case("a+b", Spaces::AsWritten, &["a+b"])]
    #[case("a+b", Spaces::FromPlus, &["a b"])]
    #[case("%2e%2E/", Spaces::AsWritten, &["%2e%2E/", "../"])]
    #[case("%252e", Spaces::AsWritten, &["%252e", "%2e", "."])]
    #[case("%25252e", Spaces::AsWritten, &["%25252e", "%252e", "%2e", "."])]
    #[case("%2525252e", Spaces::AsWritten, &["%2525252e", "%25252e", "%252e", "%2e"])]
    #[case("100%", Spaces::AsWritten, &["100%"])]
    #[case("%2B", Spaces::FromPlus, &["%2B", "+"])]
    fn percent_encoding_is_undone_at_most_three_times(
        #[case] value: &str,
        #[case] spaces: Spaces,
        #[case] expected: &[&str],
    ) {
        assert_eq!(texts(value, spaces), expected);
    }

    #[rstest]
    #[case("&#46;&#46;/", &["&#46;&#46;/", "../", "../"])]
    #[case(r"\u003cb\x3e", &[r"\u003cb\x3e", "<b>"])]
    #[case("%26%2346%3B", &["%26%2346%3B", "&#46;", ".", "."])]
    #[case("PHNjcmlwdD4=", &["PHNjcmlwdD4=", "<script>"])]
    #[case("PHNjcmlwdD4", &["PHNjcmlwdD4", "<script>"])]
    #[case("Pz8/Pj4+Pz8_", &["Pz8/Pj4+Pz8_", "???>>>???"])]
    fn other_encodings_are_undone_once(#[case] value: &str, #[case] expected: &[&str]) {
        assert_eq!(texts(value, Spaces::AsWritten), expected);
    }

    #[test]
    fn base64_whose_plus_sign_became_a_space_is_still_read() {
        assert_eq!(
            texts("Pz8/Pj4+Pz8/", Spaces::FromPlus)[1..],
            ["???>>>???".to_owned()]
        );
    }

    #[rstest]
    #[case("documentation")]
    #[case("abcdefgh")]
    #[case("0123456789abcdef")]
    #[case("AAAAAAAAAAAA")]
    #[case("john.doe@example.com")]
    fn words_that_happen_to_be_base64_stay_words(#[case] value: &str) {
        assert_eq!(texts(value, Spaces::AsWritten), [value]);
    }

    #[test]
    fn named_entities_are_resolved_in_a_reading_of_their_own() {
        let all = decodings("&lt;b&gt;", Spaces::AsWritten);
        let resolved: Vec<_> = all
            .iter()
            .filter(|decoded| decoded.reading == Reading::Resolved)
            .map(|decoded| decoded.text.as_ref())
            .collect();
        assert_eq!(resolved, ["<b>"]);
        assert_eq!(all.len(), 2);
    }
}
