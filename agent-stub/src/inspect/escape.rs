//! Percent escapes, backslash escapes, and UTF-8 that is longer than it needs to be.

use std::borrow::Cow;

/// Undoes one round of percent encoding, `%uXXXX` included; none when nothing changes.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return None;
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if let Some(byte) = percent_byte(&bytes[at..]) {
            decoded.push(byte);
            at += 3;
        } else if let Some(character) = percent_character(&bytes[at..]) {
            decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += 6;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    let decoded =
        String::from_utf8(decoded).unwrap_or_else(|error| text_of(error.as_bytes()).into_owned());
    (decoded != text).then_some(decoded)
}

/// Undoes `\uXXXX` and `\xXX` as far as they stand for ASCII; none when there are none.
pub(crate) fn unescaped(text: &str) -> Option<String> {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        let (character, length) = escape(&rest.as_bytes()[at..]).unwrap_or(('\\', 1));
        decoded.push(character);
        rest = &rest[at + length..];
    }
    if rest.len() == text.len() {
        return None;
    }
    decoded.push_str(rest);
    (decoded != text).then_some(decoded)
}

/// Reads bytes as UTF-8, over-long forms of the characters that attacks hide in them included.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(&shortened(bytes))
            .into_owned()
            .into(),
    }
}

fn percent_byte(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'%', high, low, ..] => u8::try_from(hexadecimal(&[*high, *low])?).ok(),
        _ => None,
    }
}

fn percent_character(bytes: &[u8]) -> Option<char> {
    match bytes {
        [b'%', b'u' | b'U', digits @ ..] => char::from_u32(narrow(hexadecimal(digits.get(..4)?)?)),
        _ => None,
    }
}

// Servers that know `%uXXXX` also take the wide forms of ASCII characters for these characters.
fn narrow(code_point: u32) -> u32 {
    match code_point {
        0xff01..=0xff5e => code_point - 0xff01 + 0x21,
        other => other,
    }
}

fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let (code, length) = match bytes {
        [b'\\', b'x', digits @ ..] => (hexadecimal(digits.get(..2)?)?, 4),
        [b'\\', b'u', digits @ ..] => (hexadecimal(digits.get(..4)?)?, 6),
        _ => return None,
    };
    char::from_u32(code)
        .filter(char::is_ascii)
        .map(|character| (character, length))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        char::from(*digit).to_digit(16).map(|low| value * 16 + low)
    })
}

fn shortened(bytes: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (byte, length) = over_long(&bytes[at..]).unwrap_or((bytes[at], 1));
        short.push(byte);
        at += length;
    }
    short
}

fn over_long(bytes: &[u8]) -> Option<(u8, usize)> {
    let (byte, length) = match bytes {
        [lead @ (0xc0 | 0xc1), last @ 0x80..=0xbf, ..] => (((lead & 1) << 6) | (last & 0x3f), 2),
        [0xe0, middle @ (0x80 | 0x81), last @ 0x80..=0xbf, ..] => {
            (((middle & 1) << 6) | (last & 0x3f), 3)
        }
        [0xf0, 0x80, middle @ (0x80 | 0x81), last @ 0x80..=0xbf, ..] => {
            (((middle & 1) << 6) | (last & 0x3f), 4)
        }
        _ => return None,
    };
    OVER_LONG.contains(&byte).then_some((byte, length))
}

// Latin-1 text may hold such pairs by chance, so only the characters count that an attack needs.
const OVER_LONG: &[u8] = b"./\\<>'\"";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("%3Cb%3e", "<b>")]
    #[case("%u003cb%U003E", "<b>")]
    #[case("%uff0e%uff0e%uff0f", "../")]
    #[case("%c0%ae%c0%ae%c0%af", "../")]
    #[case("%e0%80%ae%e0%80%af", "./")]
    #[case("%f0%80%80%ae", ".")]
    #[case("%c1%9c", "\\")]
    #[case("%%33c", "%3c")]
    #[case("%c3%a9", "é")]
    #[case("%zz%4", "%zz%4")]
    #[case("%ud800%41", "%ud800A")]
    fn a_round_of_percent_encoding_is_undone(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(
            percent_decoded(text).unwrap_or_else(|| text.into()),
            expected
        );
    }

    #[rstest]
    #[case(r"\u003cscript\u003e", "<script>")]
    #[case(r"\x3cb\x3E", "<b>")]
    #[case(r"a\\x41", r"a\A")]
    #[case(r"C:\users\xavier", r"C:\users\xavier")]
    #[case(r"caf\u00e9", r"caf\u00e9")]
    #[case(r"\u00", r"\u00")]
    #[case(r"\", r"\")]
    fn backslash_escapes_of_ascii_are_undone(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(unescaped(text).unwrap_or_else(|| text.into()), expected);
    }
}
