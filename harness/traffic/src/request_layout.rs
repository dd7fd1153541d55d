//! Lays out the bytes of an HTTP/1 or raw request, with a gap for the id.

use crate::plan::{BodyStart, Framing, PlannedRequest};
use crate::request_bytes::{ID_HEADER, NUMBER_PLACEHOLDER};
use crate::websocket::Handshake;

/// The most bytes of one chunk of a chunked request body.
pub(crate) const CHUNK_SIZE: usize = 4 * 1024;

/// Where the id stands in the bytes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// Once in the head.
    Parsed {
        /// What stands before the id.
        before_id: Vec<u8>,
        /// What stands after it in the head.
        rest_of_head: Vec<u8>,
        /// The framed body.
        body: Vec<u8>,
    },
    /// Between each two pieces, which may be but one.
    Raw {
        /// What stands before, between and after the ids.
        pieces: Vec<Vec<u8>>,
    },
}

impl Layout {
    /// Returns the bytes with an id in them, and how many of them are the head.
    pub(crate) fn with_id(&self, id: &str) -> (Vec<u8>, usize) {
        match self {
            Self::Parsed {
                before_id,
                rest_of_head,
                body,
            } => {
                let parts = [before_id, id.as_bytes(), rest_of_head, body];
                let bytes = parts.concat();
                let head_length = bytes.len() - body.len();
                (bytes, head_length)
            }
            Self::Raw { pieces } => (pieces.join(id.as_bytes()), 0),
        }
    }
}

/// Cuts a raw request at the occurrences of its id, where the id is numbered later.
pub(crate) fn raw_layout(bytes: Vec<u8>, id: &str) -> Layout {
    if !id.contains(NUMBER_PLACEHOLDER) {
        return Layout::Raw {
            pieces: vec![bytes],
        };
    }
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((&first, after_first)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(id.as_bytes()) {
            pieces.push(std::mem::take(&mut piece));
            rest = after;
        } else {
            piece.push(first);
            rest = after_first;
        }
    }
    pieces.push(piece);
    Layout::Raw { pieces }
}

/// Lays out an HTTP/1 request: the id first, then `host`, the given fields, what an upgrade or an
/// expectation needs, and the framing.
///
/// A field that the plan gives itself is not added a second time, however wrong its value is.
pub(crate) fn http1_layout(
    request: &PlannedRequest,
    version: &str,
    address: &str,
    body: Option<&[u8]>,
    handshake: Option<&Handshake>,
) -> Layout {
    let mut head = b"\r\n".to_vec();
    if !has(request, "host") {
        push_field(&mut head, "host", address);
    }
    for (name, value) in &request.headers {
        push_field(&mut head, name, value);
    }
    let fields = handshake.map(Handshake::fields).unwrap_or_default();
    for (name, value) in &fields {
        if !has(request, name) {
            push_field(&mut head, name, value);
        }
    }
    if request.body_start == BodyStart::AfterContinue && !has(request, "expect") {
        push_field(&mut head, "expect", "100-continue");
    }
    let body = body.map_or_else(Vec::new, |body| framed_body(request, &mut head, body));
    head.extend_from_slice(b"\r\n");
    Layout::Parsed {
        before_id: format!(
            "{} {} {version}\r\n{ID_HEADER}: ",
            request.method, request.target
        )
        .into_bytes(),
        rest_of_head: head,
        body,
    }
}

/// Adds the field that frames the body to the head, and returns the framed body.
fn framed_body(request: &PlannedRequest, head: &mut Vec<u8>, body: &[u8]) -> Vec<u8> {
    match request.framing {
        Framing::ContentLength => {
            if !has(request, "content-length") && !has(request, "transfer-encoding") {
                push_field(head, "content-length", &body.len().to_string());
            }
            body.to_vec()
        }
        Framing::Chunked => {
            if !has(request, "transfer-encoding") {
                push_field(head, "transfer-encoding", "chunked");
            }
            let mut framed = Vec::with_capacity(body.len() + body.len() / 512 + 16);
            for chunk in body.chunks(CHUNK_SIZE) {
                framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                framed.extend_from_slice(chunk);
                framed.extend_from_slice(b"\r\n");
            }
            framed.extend_from_slice(b"0\r\n");
            for (name, value) in &request.trailers {
                push_field(&mut framed, name, value);
            }
            framed.extend_from_slice(b"\r\n");
            framed
        }
    }
}

/// Returns whether the plan gives a header field itself.
pub(crate) fn has(request: &PlannedRequest, name: &str) -> bool {
    request
        .headers
        .iter()
        .any(|(field, _)| field.eq_ignore_ascii_case(name))
}

/// Writes a field as HTTP/1 does.
pub(crate) fn push_field(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}
