//! Which parts of a body are values, by its content type.
//!
//! Envoy may cut a body short, so each reader takes what is there and none insists on an end.

use std::borrow::Cow;

use crate::exchange::CheckedRequest;
use crate::inspect::escape::text_of;
use crate::inspect::field::{Checks, Fields, Spaces, inspect_pairs};
use crate::inspect::json::{JsonString, Role, Scan, scan_strings};
use crate::inspect::media::{BodyKind, declared, guessed};
use crate::inspect::signal::{Location, SignalKind};
use crate::inspect::{graphql, grpc, inflate, multipart, xml};

/// Inspects the body of a request.
pub(crate) fn inspect(request: &CheckedRequest, fields: &mut Fields) {
    let header = |name| request.header(name).unwrap_or_default();
    let content_type = header("content-type");
    let body = inflate::decoded(header("content-encoding"), &request.body);
    if body.is_empty() {
        return;
    }
    match declared(content_type) {
        Some(BodyKind::Binary) => {}
        Some(BodyKind::Grpc) => grpc::inspect_frames(&body, header("grpc-encoding"), fields),
        Some(BodyKind::Protobuf) => grpc::inspect_message(&body, fields),
        Some(kind) => inspect_text_body(kind, content_type, &readable(&body), fields),
        None if is_binary(&body) => {}
        None => {
            let text = readable(&body);
            inspect_text_body(guessed(content_type, &text), content_type, &text, fields);
        }
    }
}

fn is_binary(body: &[u8]) -> bool {
    body.iter().take(BINARY_PROBE).any(|byte| *byte == 0)
}

// XML parsers take UTF-16 for what its first bytes say, whatever the content type says.
fn readable(body: &[u8]) -> Cow<'_, str> {
    let units = |from: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| from(*pair))
            .collect();
        String::from_utf16_lossy(&units).into()
    };
    match body {
        [0xff, 0xfe, rest @ ..] => units(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => units(u16::from_be_bytes, rest),
        [b'<', 0, ..] => units(u16::from_le_bytes, body),
        [0, b'<', ..] => units(u16::from_be_bytes, body),
        _ => text_of(body),
    }
}

fn inspect_text_body(kind: BodyKind, content_type: &str, text: &str, fields: &mut Fields) {
    let location = match kind {
        BodyKind::Form => Location::Form,
        BodyKind::GraphQl => Location::GraphQl,
        BodyKind::Json => Location::Json,
        BodyKind::Markup => Location::Xml,
        BodyKind::Binary
        | BodyKind::Grpc
        | BodyKind::Multipart
        | BodyKind::Protobuf
        | BodyKind::Text => Location::PostBody,
    };
    // The files of a form with files may be anything.
    if kind != BodyKind::Multipart && text.contains('\0') {
        fields.note(SignalKind::NullByte, location, "", text, "STUB-NULL-RAW");
    }
    match kind {
        BodyKind::Binary | BodyKind::Grpc | BodyKind::Protobuf => {}
        BodyKind::Form => inspect_pairs(text, location, fields),
        BodyKind::GraphQl => graphql::inspect(text, location, fields),
        BodyKind::Json => inspect_json(text, fields),
        BodyKind::Markup => xml::inspect(text, fields),
        BodyKind::Multipart => multipart::inspect(content_type, text, fields),
        BodyKind::Text => inspect_text(text, fields),
    }
}

fn inspect_json(text: &str, fields: &mut Fields) {
    let mut location = Location::Json;
    // The query may follow its variables, so it is searched for first.
    if text.contains("\"query\"") {
        scan_strings(text, |string| {
            if is_graphql(&string) {
                location = Location::GraphQl;
            }
        });
    }
    let scan = scan_strings(text, |string| match string.role {
        Role::Name => fields.inspect(
            location,
            string.text,
            string.text,
            Checks::All,
            Spaces::AsWritten,
        ),
        Role::Value if is_graphql(&string) => graphql::inspect(string.text, location, fields),
        Role::Value => fields.inspect(
            location,
            string.name,
            string.text,
            Checks::All,
            Spaces::AsWritten,
        ),
    });
    match scan {
        Scan::Whole => {}
        Scan::NotJson => inspect_text(text, fields),
    }
}

fn is_graphql(string: &JsonString<'_>) -> bool {
    string.role == Role::Value && string.name == "query" && graphql::is_document(string.text)
}

fn inspect_text(text: &str, fields: &mut Fields) {
    fields.inspect(Location::PostBody, "", text, Checks::All, Spaces::AsWritten);
}

const BINARY_PROBE: usize = 1_024;
