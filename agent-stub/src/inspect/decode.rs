//! The decodings of a value: as written, percent-decoded once, and percent-decoded twice.
//!
//! HTML entities stay encoded: a value that holds `&lt;script&gt;` was escaped by someone and is not script.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::inspect::field::Spaces;

/// Returns the distinct decodings of a value, the written one first.
pub(crate) fn decodings(value: &str, spaces: Spaces) -> Vec<Cow<'_, str>> {
    let written: Cow<'_, str> = match spaces {
        Spaces::FromPlus if value.contains('+') => value.replace('+', " ").into(),
        Spaces::FromPlus | Spaces::AsWritten => value.into(),
    };
    let mut all = vec![written];
    for _ in 0..PERCENT_ROUNDS {
        let Some(decoded) = all.last().and_then(|text| percent_decoded(text)) else {
            break;
        };
        all.push(decoded.into());
    }
    all
}

fn percent_decoded(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    (decoded != text).then(|| decoded.into_owned())
}

const PERCENT_ROUNDS: usize = 2;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", Spaces::AsWritten, &["plain"])]
    #[case("a+b", Spaces::AsWritten, &["a+b"])]
    #[case("a+b", Spaces::FromPlus, &["a b"])]
    #[case("%2e%2E/", Spaces::AsWritten, &["%2e%2E/", "../"])]
    #[case("%252e", Spaces::AsWritten, &["%252e", "%2e", "."])]
    #[case("%25252e", Spaces::AsWritten, &["%25252e", "%252e", "%2e"])]
    #[case("100%", Spaces::AsWritten, &["100%"])]
    #[case("%2B", Spaces::FromPlus, &["%2B", "+"])]
    fn a_value_is_decoded_at_most_twice(
        #[case] value: &str,
        #[case] spaces: Spaces,
        #[case] expected: &[&str],
    ) {
        assert_eq!(decodings(value, spaces), expected);
    }
}
