//! The writings of a value: percent-encodings, JSON strings, XML text, file names of forms.

use std::fmt::Write as _;

use crate::model::seed_position::Encoding;

/// What a percent-encoded place lets stand as it is, besides letters, digits and `-._~`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Grammar {
    /// A cookie's value (RFC 6265 §4.1.1), less `%`.
    Cookie,
    /// The value of a form field or query parameter.
    Field,
    /// The name of a query parameter.
    FieldName,
    /// The path (RFC 3986 §3.3), slashes among its characters.
    Path,
}

impl Grammar {
    const fn literals(self) -> &'static [u8] {
        match self {
            Self::Cookie => b"!#$&'()*+/:<=>?@[]^_`{|}",
            Self::Field => b"!$'()*,;:@/?=",
            Self::FieldName => b"!$'()*,;:@/?",
            Self::Path => b"!$&'()*+,;=:@/",
        }
    }
}

/// Writes a value at a place that is percent-encoded.
pub(super) fn percent_encoded(value: &[u8], encoding: Encoding, grammar: Grammar) -> String {
    match encoding {
        Encoding::Percent => every_byte(value),
        Encoding::PercentTwice => every_byte(value).replace('%', "%25"),
        Encoding::PlusAndMixedCaseHex => mixed(value),
        Encoding::HtmlEntity | Encoding::Plain | Encoding::UnicodeEscape => plain(value, grammar),
    }
}

fn plain(value: &[u8], grammar: Grammar) -> String {
    let mut text = String::new();
    for &byte in value {
        if is_unreserved(byte) || grammar.literals().contains(&byte) {
            text.push(char::from(byte));
        } else {
            push_upper(&mut text, byte);
        }
    }
    text
}

fn every_byte(value: &[u8]) -> String {
    let mut text = String::new();
    for &byte in value {
        push_upper(&mut text, byte);
    }
    text
}

/// A rule that expects one spelling of the escapes misses these: the digits are in both cases, some letters are escaped.
fn mixed(value: &[u8]) -> String {
    let mut text = String::new();
    for (index, &byte) in value.iter().enumerate() {
        if byte == b' ' {
            text.push('+');
        } else if is_unreserved(byte) && index % 3 != 0 {
            text.push(char::from(byte));
        } else if index % 2 == 0 {
            push_lower(&mut text, byte);
        } else {
            push_upper(&mut text, byte);
        }
    }
    text
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn push_upper(text: &mut String, byte: u8) {
    write!(text, "%{byte:02X}").expect("a string takes everything");
}

fn push_lower(text: &mut String, byte: u8) {
    write!(text, "%{byte:02x}").expect("a string takes everything");
}

/// Writes a text as a JSON string with its quotation marks.
pub(super) fn json_string(text: &str, encoding: Encoding) -> String {
    match encoding {
        Encoding::UnicodeEscape => {
            let mut escaped = String::from("\"");
            for unit in text.encode_utf16() {
                write!(escaped, "\\u{unit:04x}").expect("a string takes everything");
            }
            escaped.push('"');
            escaped
        }
        Encoding::HtmlEntity
        | Encoding::Percent
        | Encoding::PercentTwice
        | Encoding::Plain
        | Encoding::PlusAndMixedCaseHex => serde_json::Value::from(text).to_string(),
    }
}

/// Writes a text as the content of an XML element.
pub(super) fn xml_text(text: &str, encoding: Encoding) -> String {
    let mut escaped = String::new();
    for (index, character) in text.chars().enumerate() {
        let code = u32::from(character);
        match (encoding, character) {
            (Encoding::HtmlEntity, _) if index % 2 == 0 => write!(escaped, "&#{code};"),
            (Encoding::HtmlEntity, _) => write!(escaped, "&#x{code:x};"),
            (_, '&') => write!(escaped, "&amp;"),
            (_, '<') => write!(escaped, "&lt;"),
            // `]]>` must not stand in text.
            (_, '>') => write!(escaped, "&gt;"),
            // A parser turns a bare carriage return into a line feed (XML 1.0 §2.11).
            (_, '\r') => write!(escaped, "&#13;"),
            (_, other) => write!(escaped, "{other}"),
        }
        .expect("a string takes everything");
    }
    escaped
}

/// Writes a value as the file name of a multipart form, as browsers do.
pub(super) fn file_name(value: &[u8], encoding: Encoding) -> Vec<u8> {
    if encoding == Encoding::Percent {
        return every_byte(value).into_bytes();
    }
    let mut name = Vec::new();
    for &byte in value {
        match byte {
            b'"' => name.extend_from_slice(b"%22"),
            b'\r' => name.extend_from_slice(b"%0D"),
            b'\n' => name.extend_from_slice(b"%0A"),
            other => name.push(other),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Encoding::Plain, Grammar::Field, "1'%20OR%20%3C%26=%2B")]
    #[case(Encoding::Plain, Grammar::FieldName, "1'%20OR%20%3C%26%3D%2B")]
    #[case(Encoding::Plain, Grammar::Path, "1'%20OR%20%3C&=+")]
    #[case(Encoding::Plain, Grammar::Cookie, "1'%20OR%20<&=+")]
    #[case(Encoding::Percent, Grammar::Field, "%31%27%20%4F%52%20%3C%26%3D%2B")]
    #[case(
        Encoding::PercentTwice,
        Grammar::Field,
        "%2531%2527%2520%254F%2552%2520%253C%2526%253D%252B"
    )]
    #[case(
        Encoding::PlusAndMixedCaseHex,
        Grammar::Field,
        "%31%27+%4FR+%3c%26%3d%2B"
    )]
    fn a_value_is_percent_encoded(
        #[case] encoding: Encoding,
        #[case] grammar: Grammar,
        #[case] expected: &str,
    ) {
        assert_eq!(percent_encoded(b"1' OR <&=+", encoding, grammar), expected);
    }

    #[test]
    fn text_is_escaped_for_json_and_xml() {
        assert_eq!(json_string("a\"\0", Encoding::Plain), r#""a\"\u0000""#);
        assert_eq!(
            json_string("a😀", Encoding::UnicodeEscape),
            r#""\u0061\ud83d\ude00""#
        );
        assert_eq!(xml_text("<a>&\r", Encoding::Plain), "&lt;a&gt;&amp;&#13;");
        assert_eq!(xml_text("<a", Encoding::HtmlEntity), "&#60;&#x61;");
    }

    #[test]
    fn a_file_name_cannot_end_its_quotation() {
        assert_eq!(file_name(b"a\"\r\n", Encoding::Plain), b"a%22%0D%0A");
    }
}
