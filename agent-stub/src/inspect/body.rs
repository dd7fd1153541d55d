//! Which parts of a body are values, by its content type.
//!
//! Envoy may cut a body short, so each reader takes what is there and none insists on an end.

use crate::inspect::field::{Checks, Fields, Spaces, inspect_pairs};
use crate::inspect::json::{Role, Scan, scan_strings};
use crate::inspect::multipart;
use crate::inspect::signal::Location;

/// Inspects a body.
pub(crate) fn inspect(content_type: &str, body: &[u8], fields: &mut Fields) {
    if body.is_empty() || body.iter().take(BINARY_PROBE).any(|byte| *byte == 0) {
        return;
    }
    let text = String::from_utf8_lossy(body);
    match kind(content_type, &text) {
        BodyKind::Binary => {}
        BodyKind::Form => inspect_pairs(&text, Location::Form, fields),
        BodyKind::Json => inspect_json(&text, fields),
        BodyKind::Markup => inspect_text(&text, Checks::AllButScript, fields),
        BodyKind::Multipart => multipart::inspect(content_type, &text, fields),
        BodyKind::Text => inspect_text(&text, Checks::All, fields),
    }
}

enum BodyKind {
    Binary,
    Form,
    Json,
    /// XML and its relatives, which cross-site scripting rules would flag for being markup.
    Markup,
    Multipart,
    Text,
}

fn kind(content_type: &str, text: &str) -> BodyKind {
    let lower = content_type.to_ascii_lowercase();
    let media_type = lower.split([';', ',']).next().unwrap_or_default().trim();
    let is_any = |parts: &[&str]| parts.iter().any(|part| media_type.contains(part));
    if is_any(&["json"]) {
        BodyKind::Json
    } else if is_any(&["x-www-form-urlencoded"]) {
        BodyKind::Form
    } else if media_type.starts_with("multipart/") {
        BodyKind::Multipart
    } else if is_any(&["xml"]) {
        BodyKind::Markup
    } else if is_any(&[
        "image/",
        "audio/",
        "video/",
        "font/",
        "zip",
        "octet-stream",
        "protobuf",
        "grpc",
        "pdf",
    ]) {
        BodyKind::Binary
    } else if text.trim_start().starts_with(['{', '[']) {
        BodyKind::Json
    } else if media_type.is_empty() && is_form_like(text) {
        BodyKind::Form
    } else {
        BodyKind::Text
    }
}

fn is_form_like(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(&byte))
    })
}

fn inspect_json(text: &str, fields: &mut Fields) {
    let scan = scan_strings(text, |string| match string.role {
        Role::Name => {
            fields.inspect(
                Location::Json,
                &string.text,
                &string.text,
                Checks::All,
                Spaces::AsWritten,
            );
        }
        Role::Value => {
            fields.inspect(
                Location::Json,
                &string.name,
                &string.text,
                Checks::All,
                Spaces::AsWritten,
            );
        }
    });
    match scan {
        Scan::Whole => {}
        Scan::NotJson => inspect_text(text, Checks::All, fields),
    }
}

fn inspect_text(text: &str, checks: Checks, fields: &mut Fields) {
    fields.inspect(Location::PostBody, "", text, checks, Spaces::AsWritten);
}

const BINARY_PROBE: usize = 1_024;
