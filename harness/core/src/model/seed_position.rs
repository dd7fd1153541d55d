//! Where in a request a seed's value can stand, and how it can be written there.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in a request that can hold a value.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum SeedPosition {
    /// The value of a cookie.
    Cookie,
    /// The value of a form field.
    Form,
    /// A variable of a GraphQL request.
    Graphql,
    /// The value of a header that holds free text.
    Header,
    /// A string in a JSON document.
    Json,
    /// The content of a field of a multipart form.
    MultipartField,
    /// The name of a file in a multipart form.
    MultipartFilename,
    /// The end of the path, after two ordinary segments.
    Path,
    /// The value of a query parameter.
    Query,
    /// The name of a query parameter.
    QueryName,
    /// The `user-agent` header.
    UserAgent,
    /// The text of an XML element.
    Xml,
    /// A whole XML document: the value is the body.
    XmlDocument,
}

/// A way of writing a value at a position.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Every character as a numeric character reference, decimal and hexadecimal in turn.
    HtmlEntity,
    /// Every byte percent-encoded.
    Percent,
    /// Every byte percent-encoded, and the percent signs of that once more.
    PercentTwice,
    /// Only what the position's own grammar needs is encoded.
    Plain,
    /// Spaces as plus signs, the other bytes percent-encoded in part, with digits in both cases.
    PlusAndMixedCaseHex,
    /// Every character as a JSON `\u` escape.
    UnicodeEscape,
}

impl SeedPosition {
    /// Every position.
    pub const ALL: [Self; 13] = [
        Self::Cookie,
        Self::Form,
        Self::Graphql,
        Self::Header,
        Self::Json,
        Self::MultipartField,
        Self::MultipartFilename,
        Self::Path,
        Self::Query,
        Self::QueryName,
        Self::UserAgent,
        Self::Xml,
        Self::XmlDocument,
    ];

    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Form => "form",
            Self::Graphql => "graphql",
            Self::Header => "header",
            Self::Json => "json",
            Self::MultipartField => "multipart-field",
            Self::MultipartFilename => "multipart-filename",
            Self::Path => "path",
            Self::Query => "query",
            Self::QueryName => "query-name",
            Self::UserAgent => "user-agent",
            Self::Xml => "xml",
            Self::XmlDocument => "xml-document",
        }
    }

    /// Returns the encodings that a receiver undoes at this position.
    ///
    /// Headers and file names have no percent-encoding of their own; applications undo it there all the same.
    pub const fn encodings(self) -> &'static [Encoding] {
        match self {
            Self::Cookie | Self::Path => {
                &[Encoding::Plain, Encoding::Percent, Encoding::PercentTwice]
            }
            Self::Form | Self::Query | Self::QueryName => &[
                Encoding::Plain,
                Encoding::Percent,
                Encoding::PercentTwice,
                Encoding::PlusAndMixedCaseHex,
            ],
            Self::Graphql | Self::Json => &[Encoding::Plain, Encoding::UnicodeEscape],
            Self::Header | Self::MultipartFilename => &[Encoding::Plain, Encoding::Percent],
            Self::MultipartField | Self::UserAgent | Self::XmlDocument => &[Encoding::Plain],
            Self::Xml => &[Encoding::Plain, Encoding::HtmlEntity],
        }
    }

    /// Returns whether the position, written in this encoding, delivers exactly these bytes.
    pub fn carries(self, encoding: Encoding, value: &[u8]) -> bool {
        if value.is_empty() || !self.encodings().contains(&encoding) {
            return false;
        }
        match (self, encoding) {
            (Self::Graphql | Self::Json, _) => std::str::from_utf8(value).is_ok(),
            (Self::Xml, _) => is_xml_text(value),
            (Self::Header | Self::UserAgent, Encoding::Plain) => is_field_value(value),
            (Self::MultipartFilename, Encoding::Plain) => !has_form_escape(value),
            (
                Self::Cookie
                | Self::Form
                | Self::Header
                | Self::MultipartField
                | Self::MultipartFilename
                | Self::Path
                | Self::Query
                | Self::QueryName
                | Self::UserAgent
                | Self::XmlDocument,
                _,
            ) => true,
        }
    }
}

impl fmt::Display for SeedPosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 6] = [
        Self::HtmlEntity,
        Self::Percent,
        Self::PercentTwice,
        Self::Plain,
        Self::PlusAndMixedCaseHex,
        Self::UnicodeEscape,
    ];

    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HtmlEntity => "html-entity",
            Self::Percent => "percent",
            Self::PercentTwice => "percent-twice",
            Self::Plain => "plain",
            Self::PlusAndMixedCaseHex => "plus-and-mixed-case-hex",
            Self::UnicodeEscape => "unicode-escape",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// XML 1.0 §2.2: no control characters but tab, line feed and carriage return, not even as references.
fn is_xml_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| {
        text.chars().all(|character| {
            !matches!(character, '\0'..'\t' | '\u{b}' | '\u{c}' | '\u{e}'..' ' | '\u{fffe}' | '\u{ffff}')
        })
    })
}

/// RFC 9110 §5.5, without bytes over 127: the proxy replaces those on their way to the agent.
fn is_field_value(value: &[u8]) -> bool {
    let is_visible = |byte: &u8| byte.is_ascii_graphic();
    value
        .iter()
        .all(|byte| is_visible(byte) || matches!(byte, b' ' | b'\t'))
        && value.first().is_some_and(is_visible)
        && value.last().is_some_and(is_visible)
}

/// Multipart forms write a quotation mark as `%22` and leave `%` alone (WHATWG HTML, multipart/form-data encoding), so a
/// value that has these three characters of its own cannot be distinguished from an escape.
fn has_form_escape(value: &[u8]) -> bool {
    value.windows(3).any(|window| {
        [b"%22", b"%0a", b"%0d"]
            .iter()
            .any(|escape| window.eq_ignore_ascii_case(*escape))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::null_in_xml(SeedPosition::Xml, Encoding::Plain, b"a\0b", false)]
    #[case::null_in_json(SeedPosition::Json, Encoding::Plain, b"a\0b", true)]
    #[case::null_in_header(SeedPosition::Header, Encoding::Plain, b"a\0b", false)]
    #[case::null_in_encoded_header(SeedPosition::Header, Encoding::Percent, b"a\0b", true)]
    #[case::edge_blank_in_header(SeedPosition::Header, Encoding::Plain, b"a ", false)]
    #[case::wide_in_header(SeedPosition::Header, Encoding::Plain, "é".as_bytes(), false)]
    #[case::bytes_in_json(SeedPosition::Json, Encoding::UnicodeEscape, b"\xc0\xae", false)]
    #[case::bytes_in_query(SeedPosition::Query, Encoding::Percent, b"\xc0\xae", true)]
    #[case::escape_in_file_name(SeedPosition::MultipartFilename, Encoding::Plain, b"a%0Ab", false)]
    #[case::plus_in_path(SeedPosition::Path, Encoding::PlusAndMixedCaseHex, b"a b", false)]
    #[case::nothing(SeedPosition::Query, Encoding::Plain, b"", false)]
    fn a_position_says_which_bytes_it_delivers(
        #[case] position: SeedPosition,
        #[case] encoding: Encoding,
        #[case] value: &[u8],
        #[case] expected: bool,
    ) {
        assert_eq!(position.carries(encoding, value), expected);
    }

    #[test]
    fn names_are_those_of_the_files() {
        for position in SeedPosition::ALL {
            let name = serde_json::to_value(position).expect("JSON");
            assert_eq!(name, position.as_str());
        }
        for encoding in Encoding::ALL {
            let name = serde_json::to_value(encoding).expect("JSON");
            assert_eq!(name, encoding.as_str());
        }
    }
}
