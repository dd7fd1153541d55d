//! Turns a planned request into the exact bytes that are sent. Nothing is normalised: the target,
//! the method and the header fields go out as the plan has them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::request::RequestParts;
use crate::traffic::http2_head::{Http2Head, Http2HeadError};
use crate::traffic::plan::{BodyPacing, BodyStart, Framing, PlannedRequest, Protocol, Upgrade};
use crate::traffic::websocket::Handshake;

/// The header that carries the request's id.
pub(crate) const ID_HEADER: &str = "x-conformance-id";
/// What a repeated request's number replaces in its id.
pub(crate) const NUMBER_PLACEHOLDER: &str = "{n}";
/// The most bytes of one chunk of a chunked request body.
const CHUNK_SIZE: usize = 4 * 1024;
/// How long the connection is read on after the answer to a raw request, unless the plan says.
const RAW_LINGER: Duration = Duration::from_millis(300);

/// A planned request, checked and ready to be written as often as needed.
#[derive(Clone, Debug)]
pub(crate) struct RequestTemplate {
    id: String,
    layout: Layout,
    answer_body: AnswerBody,
    manner: Manner,
}

/// One request as it goes out.
#[derive(Clone, Debug)]
pub(crate) struct RequestBytes {
    /// The request's id.
    pub(crate) id: String,
    /// Head and body. Of an HTTP/2 request, a rendering of the head as text, and the body.
    pub(crate) bytes: Vec<u8>,
    /// How many of the bytes are the head; 0 of a raw request, which is not taken apart.
    pub(crate) head_length: usize,
    /// Whether the answer can have a body.
    pub(crate) answer_body: AnswerBody,
    /// How the bytes go out.
    pub(crate) manner: Manner,
}

/// How a request goes out.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// The protocol, with what only that needs.
    pub(crate) form: WireForm,
    /// When the body follows the head.
    pub(crate) body_start: BodyStart,
    /// How the body is spread over time.
    pub(crate) pacing: Option<BodyPacing>,
    /// How long the connection is read on after the answer.
    pub(crate) linger: Duration,
    /// The handshake for another protocol, with its first message.
    pub(crate) websocket: Option<Arc<WebSocketRequest>>,
}

/// The protocol of a request, with what only that needs.
#[derive(Clone, Debug)]
pub(crate) enum WireForm {
    /// HTTP/1.0: the connection carries no other request.
    Http10,
    /// HTTP/1.1, or raw bytes.
    Http11,
    /// HTTP/2, whose head is not in the bytes.
    Http2(Arc<Http2Head>),
}

/// What a WebSocket handshake needs beyond its head.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WebSocketRequest {
    /// The handshake.
    pub(crate) handshake: Handshake,
    /// The text of the first frame.
    pub(crate) message: Vec<u8>,
}

/// Whether the answer to a request can have a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AnswerBody {
    /// Never: the request is a `HEAD`.
    Never,
    /// As the answer's own head says.
    Possible,
}

/// Where the id stands in the bytes of a request.
#[derive(Clone, Debug)]
enum Layout {
    /// Once in the head.
    Parsed {
        before_id: Vec<u8>,
        rest_of_head: Vec<u8>,
        body: Vec<u8>,
    },
    /// Between each two pieces, which may be but one.
    Raw { pieces: Vec<Vec<u8>> },
}

/// Why a planned request cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The body is not base64.
    #[error("request `{id}`: the body is not base64")]
    Body {
        /// The request.
        id: String,
        /// What the decoder said.
        #[source]
        source: base64::DecodeError,
    },
    /// Its parts do not go together.
    #[error("request `{id}`: {fault}")]
    Combination {
        /// The request, escaped.
        id: String,
        /// What does not go with what.
        fault: &'static str,
    },
    /// A field has a byte that would end it.
    #[error("request `{id}`: {field} contains CR, LF or NUL")]
    ControlCharacter {
        /// The request, escaped.
        id: String,
        /// Which part of the request.
        field: String,
    },
    /// The request does not fit HTTP/2.
    #[error("request `{id}` cannot be sent over HTTP/2")]
    Http2 {
        /// The request, escaped.
        id: String,
        /// Why.
        #[source]
        source: Http2HeadError,
    },
}

impl RequestTemplate {
    /// Checks a planned request that goes to `address`.
    pub(crate) fn new(request: &PlannedRequest, address: &str) -> Result<Self, RequestError> {
        refuse_faults(request)?;
        let body = decode(request, request.body_base64.as_deref())?;
        let websocket = websocket_of(request, body.as_deref());
        // The body of an upgrade goes out after the upgrade, as a message.
        let body = body.filter(|_| websocket.is_none());
        let raw = decode(request, request.raw_base64.as_deref())?;
        let is_raw = raw.is_some();
        let handshake = websocket.as_ref().map(|websocket| &websocket.handshake);
        let (form, layout) = match (raw, request.protocol) {
            (Some(bytes), _) => (WireForm::Http11, raw_layout(bytes, &request.id)),
            (None, Protocol::H2) => http2_form(request, address, body)?,
            (None, Protocol::Http1) => (
                WireForm::Http11,
                http1_layout(request, "HTTP/1.1", address, body.as_deref(), handshake),
            ),
            (None, Protocol::Http10) => (
                WireForm::Http10,
                http1_layout(request, "HTTP/1.0", address, body.as_deref(), handshake),
            ),
        };
        let linger = request
            .linger_milliseconds
            .map(|milliseconds| Duration::from_millis(milliseconds.into()));
        Ok(Self {
            id: request.id.clone(),
            layout,
            answer_body: match request.method.as_str() {
                "HEAD" if !is_raw => AnswerBody::Never,
                _ => AnswerBody::Possible,
            },
            manner: Manner {
                form,
                body_start: request.body_start,
                pacing: request.body_pacing,
                linger: match linger {
                    Some(linger) => linger,
                    None if is_raw => RAW_LINGER,
                    None => Duration::ZERO,
                },
                websocket,
            },
        })
    }

    /// Returns the request as it stands.
    pub(crate) fn once(&self) -> RequestBytes {
        self.with_id(self.id.clone())
    }

    /// Returns the request with `number` in its id.
    pub(crate) fn numbered(&self, number: u32) -> RequestBytes {
        self.with_id(self.id.replace(NUMBER_PLACEHOLDER, &number.to_string()))
    }

    /// Returns the id as the plan has it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Tells whether the request goes out over HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        match self.manner.form {
            WireForm::Http10 | WireForm::Http11 => false,
            WireForm::Http2(_) => true,
        }
    }

    fn with_id(&self, id: String) -> RequestBytes {
        let (bytes, head_length) = match &self.layout {
            Layout::Parsed {
                before_id,
                rest_of_head,
                body,
            } => {
                let parts = [before_id, id.as_bytes(), rest_of_head, body];
                let bytes = parts.concat();
                let head_length = bytes.len() - body.len();
                (bytes, head_length)
            }
            Layout::Raw { pieces } => (pieces.join(id.as_bytes()), 0),
        };
        RequestBytes {
            id,
            bytes,
            head_length,
            answer_body: self.answer_body,
            manner: self.manner.clone(),
        }
    }
}

fn refuse_faults(request: &PlannedRequest) -> Result<(), RequestError> {
    refuse_control_characters(request, "the id", &request.id)?;
    refuse_control_characters(request, "the method", &request.method)?;
    refuse_control_characters(request, "the target", &request.target)?;
    for (name, value) in request.headers.iter().chain(&request.trailers) {
        refuse_control_characters(request, "a header name", name)?;
        refuse_control_characters(request, &format!("the header `{name}`"), value)?;
    }
    let parts = RequestParts {
        protocol: request.protocol,
        is_raw: request.raw_base64.is_some(),
        headers: request.headers.len(),
        has_body: request.body_base64.is_some(),
        framing: Some(request.framing),
        trailers: request.trailers.len(),
        body_pacing: request.body_pacing,
        body_start: request.body_start,
        upgrade: request.upgrade,
        linger_milliseconds: request.linger_milliseconds,
    };
    match parts.fault() {
        Some(fault) => Err(RequestError::Combination {
            id: request.id.clone(),
            fault,
        }),
        None => Ok(()),
    }
}

fn refuse_control_characters(
    request: &PlannedRequest,
    field: &str,
    text: &str,
) -> Result<(), RequestError> {
    if text.contains(['\r', '\n', '\0']) {
        return Err(RequestError::ControlCharacter {
            id: request.id.escape_debug().to_string(),
            field: field.escape_debug().to_string(),
        });
    }
    Ok(())
}

fn decode(request: &PlannedRequest, text: Option<&str>) -> Result<Option<Vec<u8>>, RequestError> {
    let decoded = text.map(|text| STANDARD.decode(text)).transpose();
    decoded.map_err(|source| RequestError::Body {
        id: request.id.clone(),
        source,
    })
}

fn websocket_of(request: &PlannedRequest, body: Option<&[u8]>) -> Option<Arc<WebSocketRequest>> {
    let Upgrade::Websocket = request.upgrade?;
    Some(Arc::new(WebSocketRequest {
        handshake: Handshake::new(&request.id, &request.headers),
        message: body.unwrap_or_default().to_vec(),
    }))
}

/// Cuts a raw request at the occurrences of its id, where the id is numbered later.
fn raw_layout(bytes: Vec<u8>, id: &str) -> Layout {
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

fn http2_form(
    request: &PlannedRequest,
    address: &str,
    body: Option<Vec<u8>>,
) -> Result<(WireForm, Layout), RequestError> {
    let head = Http2Head::new(request, address, body.as_deref().map(<[u8]>::len));
    let head = head.map_err(|source| RequestError::Http2 {
        id: request.id.escape_debug().to_string(),
        source,
    })?;
    let mut rest_of_head = b"\r\n".to_vec();
    head.render_fields(&mut rest_of_head);
    let layout = Layout::Parsed {
        before_id: format!("{}{ID_HEADER}: ", head.render_pseudo_fields()).into_bytes(),
        rest_of_head,
        body: body.unwrap_or_default(),
    };
    Ok((WireForm::Http2(Arc::new(head)), layout))
}

/// Lays out an HTTP/1 request: the id first, then `host`, the given fields, what an upgrade or an
/// expectation needs, and the framing.
///
/// A field that the plan gives itself is not added a second time, however wrong its value is.
fn http1_layout(
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

/// Tells whether the plan gives a header field itself.
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

#[cfg(test)]
#[path = "request_bytes_tests.rs"]
mod tests;
