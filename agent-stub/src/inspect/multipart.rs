//! The parts of a `multipart/form-data` body: field names, file names and the contents of text parts.

use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::signal::Location;

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
    let disposition = head.lines().find(|line| {
        line.to_ascii_lowercase()
            .starts_with("content-disposition:")
    });
    let name = disposition
        .and_then(|line| parameter(line, "name"))
        .unwrap_or_default();
    fields.inspect(
        Location::PostBody,
        name,
        name,
        Checks::All,
        Spaces::AsWritten,
    );
    let file_name = disposition.and_then(|line| parameter(line, "filename"));
    if let Some(file_name) = file_name {
        fields.inspect(
            Location::PostBody,
            name,
            file_name,
            Checks::All,
            Spaces::AsWritten,
        );
    }
    // A file's content is a document, full of what would be an attack in a field.
    let checks = if file_name.is_some() {
        Checks::Lookup
    } else {
        Checks::All
    };
    fields.inspect(
        Location::PostBody,
        name,
        content.trim_end_matches(['\r', '\n']),
        checks,
        Spaces::AsWritten,
    );
}

fn parameter<'text>(header: &'text str, wanted: &str) -> Option<&'text str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then_some(value)
    })
}

const PART_LIMIT: usize = 256;
