//! The parts of a `multipart/form-data` body: field names, file names, content types, and the contents of text parts.

use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::signal::{Location, SignalKind};

/// Inspects each part; without a boundary the whole body is one text.
pub(crate) fn inspect(content_type: &str, text: &str, fields: &mut Fields) {
    let Some(boundary) = parameter(content_type, "boundary") else {
        fields.inspect(Location::PostBody, "", text, Checks::All, Spaces::AsWritten);
        return;
    };
    let delimiter = format!("--{boundary}");
    for part in text.split(delimiter.as_str()).skip(1).take(PART_LIMIT) {
        inspect_part(part, fields);
    }
}

fn inspect_part(part: &str, fields: &mut Fields) {
    let part = part.trim_start_matches(['\r', '\n']);
    let split = part
        .split_once("\r\n\r\n")
        .or_else(|| part.split_once("\n\n"));
    let Some((head, content)) = split else { return };
    let disposition = header(head, "content-disposition").unwrap_or_default();
    let name = parameter(disposition, "name").unwrap_or_default();
    let mut inspect = |value: &str, checks| {
        fields.inspect(Location::PostBody, name, value, checks, Spaces::AsWritten);
    };
    inspect(name, Checks::All);
    let file_names = ["filename", "filename*"].map(|wanted| parameter(disposition, wanted));
    for file_name in file_names.into_iter().flatten() {
        inspect(file_name, Checks::FileName);
    }
    if let Some(part_type) = header(head, "content-type") {
        inspect(part_type, Checks::Expressions);
    }
    let content = content.trim_end_matches(['\r', '\n']);
    // A file's content is a document, full of what would be an attack in a field.
    if file_names.iter().any(Option::is_some) {
        inspect(content, Checks::Document);
        return;
    }
    inspect(content, Checks::All);
    if content.contains('\0') {
        fields.note(
            SignalKind::NullByte,
            Location::PostBody,
            name,
            content,
            "STUB-NULL-RAW",
        );
    }
}

fn header<'text>(head: &'text str, wanted: &str) -> Option<&'text str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case(wanted)
            .then_some(value.trim())
    })
}

// A quoted value may hold a semicolon, and a backslash before a quote.
fn parameter<'text>(header: &'text str, wanted: &str) -> Option<&'text str> {
    let mut rest = header;
    for _ in 0..PARAMETER_LIMIT {
        rest = &rest[value_end(rest)?..];
        let (name, after) = rest[1..].split_once('=')?;
        // A parameter without value ends before the next one's sign.
        let name = name.rsplit(';').next().unwrap_or(name).trim();
        let after = after.trim_start();
        let value = &after[..value_end(after).unwrap_or(after.len())];
        if name.eq_ignore_ascii_case(wanted) {
            let value = value.trim();
            let bare = value
                .strip_prefix('"')
                .map_or(value, |quoted| quoted.strip_suffix('"').unwrap_or(quoted));
            return (!bare.is_empty()).then_some(bare);
        }
        rest = after;
    }
    None
}

fn value_end(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => return Some(at),
            _ => {}
        }
    }
    None
}

const PART_LIMIT: usize = 256;
const PARAMETER_LIMIT: usize = 32;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "form-data; name=\"f\"; filename=\"a;b.php\"",
        "filename",
        Some("a;b.php")
    )]
    #[case("form-data; name=f", "name", Some("f"))]
    #[case("form-data; filename=\"x\"; name=\"f\"", "name", Some("f"))]
    #[case("form-data; name=\"\"", "name", None)]
    #[case("form-data; flag; name=f", "name", Some("f"))]
    #[case(
        "form-data; name=\"say \\\"x\\\"; y\"",
        "name",
        Some("say \\\"x\\\"; y")
    )]
    #[case("multipart/form-data", "boundary", None)]
    #[case("multipart/form-data; boundary=\"cut", "boundary", Some("cut"))]
    fn a_parameter_is_found_past_quoted_semicolons(
        #[case] header: &str,
        #[case] wanted: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(parameter(header, wanted), expected);
    }
}
