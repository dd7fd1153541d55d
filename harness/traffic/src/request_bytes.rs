//! Turns a planned request into the exact bytes that are sent. Nothing is normalised: the target,
//! the method and the header fields go out as the plan has them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http2_head::{Http2Head, Http2HeadError};
use crate::plan::{BodyPacing, BodyStart, PlannedRequest, Protocol, Upgrade};
use crate::request_layout::{Layout, http1_layout, raw_layout};
use crate::websocket::Handshake;
use harness_core::model::request_parts::RequestParts;

/// The header that carries the request's id.
pub(crate) const ID_HEADER: &str = "x-conformance-id";
/// What a repeated request's number replaces in its id.
pub(crate) const NUMBER_PLACEHOLDER: &str = "{n}";
/// How long the connection is read on after the answer to a raw request, unless the plan says.
const RAW_LINGER: Duration = Duration::from_millis(300);

/// Returns the bytes of a planned request that goes to `address`, or why there are none, as evidence shows them.
pub fn written_out(request: &PlannedRequest, address: &str) -> Vec<u8> {
    match RequestTemplate::new(request, address) {
        Ok(template) => template.once().bytes,
        Err(error) => format!("cannot be encoded: {error}\n").into_bytes(),
    }
}

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

    /// Returns whether the request goes out over HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        match self.manner.form {
            WireForm::Http10 | WireForm::Http11 => false,
            WireForm::Http2(_) => true,
        }
    }

    fn with_id(&self, id: String) -> RequestBytes {
        let (bytes, head_length) = self.layout.with_id(&id);
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

#[cfg(test)]
#[path = "request_bytes_tests.rs"]
mod tests;
