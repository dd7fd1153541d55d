//! Writes bytes off the wire as printable ASCII, so that they can stand in records without loss.

use std::fmt::Write as _;

/// Returns `bytes` with everything but printable ASCII as `\xNN` and each backslash doubled.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            0..=0x1f | 0x7f..=0xff => {
                write!(text, "\\x{byte:02x}").expect("writing to a string cannot fail");
            }
        }
    }
    text
}

/// Returns the start of `bytes`, escaped, in at most `limit` characters.
pub fn escape_bounded(bytes: &[u8], limit: usize) -> String {
    let mut text = escape(&bytes[..bytes.len().min(limit)]);
    text.truncate(limit);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_ascii_is_written_in_hexadecimal() {
        assert_eq!(escape(b"a\\\x00\t\xff\x7f~"), "a\\\\\\x00\\x09\\xff\\x7f~");
    }

    #[test]
    fn the_bound_counts_escaped_characters() {
        assert_eq!(escape_bounded(&[0xff; 100], 10), "\\xff\\xff\\x");
        assert_eq!(escape_bounded(b"short", 10), "short");
    }
}
