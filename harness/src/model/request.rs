//! Requests as scenario and payload files write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
/// The largest body that a file may describe, in bytes.
pub const BODY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// The longest interval between two pieces of a request, in milliseconds.
pub const PACING_LIMIT_MILLISECONDS: u32 = 60_000;
/// The longest that a connection is read on after an answer, in milliseconds.
pub const LINGER_LIMIT_MILLISECONDS: u32 = 60_000;
/// What stands for the request's id in a raw request.
const ID_PLACEHOLDER: &[u8] = b"{id}";

/// One request. It is sent byte for byte as written.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RequestSpec {
    /// The method; `GET` without a body and `POST` with one when not given. An upgrade is a `GET`,
    /// and in HTTP/2 a `CONNECT` on the wire whatever is given here.
    #[serde(default)]
    pub method: Option<Located<String>>,
    /// The request target as written on the wire.
    pub target: Located<String>,
    /// Header fields in order, each `name: value`.
    #[serde(default)]
    pub headers: Vec<Located<String>>,
    /// The body.
    #[serde(default)]
    pub body: Option<Located<BodySpec>>,
    /// The whole request as raw bytes, instead of header fields and a body. `method` and `target`
    /// then say what the application must see.
    #[serde(default)]
    pub raw: Option<Located<RawSpec>>,
    /// The protocol in which the request is sent.
    #[serde(default)]
    pub protocol: Protocol,
    /// Trailer fields in order, each `name: value`; in HTTP/1.1 only after a chunked body.
    #[serde(default)]
    pub trailers: Vec<Located<String>>,
    /// Sends the body, or the whole of a raw request, in pieces with a pause between them.
    #[serde(default)]
    pub body_pacing: Option<Located<BodyPacing>>,
    /// When the body follows the head.
    #[serde(default)]
    pub body_start: BodyStart,
    /// Asks for another protocol on the connection; the body is then its first message.
    #[serde(default)]
    pub upgrade: Option<Upgrade>,
}

/// The protocol of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/2 with prior knowledge, or over TLS. `content-length` framing adds that field,
    /// `chunked` framing leaves it away. Field names are sent in lower case, and equal names stand
    /// together.
    H2,
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/1.0; the connection ends with the answer.
    #[serde(rename = "http1-0")]
    Http10,
}

/// When the body of a request follows its head.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyStart {
    /// Once `100 Continue` has come. `expect: 100-continue` is added; a final answer that comes
    /// instead ends the exchange without the body.
    AfterContinue,
    /// At once.
    #[default]
    AtOnce,
}

/// Another protocol that a request asks for on its connection.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upgrade {
    /// A WebSocket handshake: in HTTP/1.1 its fields are added where they are not given; in HTTP/2
    /// it is an extended CONNECT. After it the body is sent as one text frame, whose echo is awaited.
    Websocket,
}

/// How the bytes of a body are spread over time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BodyPacing {
    /// Bytes of one piece, at least 1.
    pub piece: u32,
    /// The pause after each piece but the last, in milliseconds; at most 60000.
    pub interval_milliseconds: u32,
}

/// A request as raw bytes. Exactly one of `text` and `base64` is given, and exactly those bytes
/// are written: a line end is what the text has (`\r\n` in a double-quoted string), and nothing
/// is added. The only substitution: `{id}` stands for the request's id, without which the
/// witnesses cannot find the request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawSpec {
    /// The bytes as text.
    #[serde(default)]
    pub text: Option<String>,
    /// The bytes in base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// The body that the application must see; empty when not given.
    #[serde(default)]
    pub received_body: String,
    /// How long the connection is read on after the first answer, in milliseconds, for answers
    /// that nobody asked for; 300 when not given, at most 60000.
    #[serde(default)]
    pub linger_milliseconds: Option<u32>,
}

/// A request body. Exactly one of `text`, `base64` and `filled` is given.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BodySpec {
    /// The body as text.
    #[serde(default)]
    pub text: Option<String>,
    /// The body in base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// A body of an exact length.
    #[serde(default)]
    pub filled: Option<FilledBody>,
    /// How the body is framed.
    #[serde(default)]
    pub framing: Framing,
}

/// How a request body is framed in HTTP/1.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// `content-length`.
    #[default]
    ContentLength,
    /// `transfer-encoding: chunked`, in chunks of at most 4 KiB.
    Chunked,
}

/// A body of an exact length: `before`, as much of `fill` as is needed, `after`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FilledBody {
    /// Text at the start.
    #[serde(default)]
    pub before: String,
    /// Text that is repeated, cut where the length is reached; `a` when not given.
    #[serde(default)]
    pub fill: Option<String>,
    /// Text at the end.
    #[serde(default)]
    pub after: String,
    /// The length of the whole, in bytes.
    pub length: u64,
}

/// Why a request cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum RequestSpecError {
    /// A header has no colon or an empty name.
    #[error("`{text}` is not a header field")]
    HeaderForm {
        /// What was written.
        text: String,
    },
    /// The parts of the request do not go together.
    #[error("{fault}")]
    Combination {
        /// What does not go with what.
        fault: &'static str,
    },
    /// None or both forms of a raw request are given.
    #[error("a raw request takes exactly one of `text` and `base64`")]
    RawForm,
    /// The base64 text of a raw request is broken.
    #[error("the raw request is not valid base64")]
    RawBase64(#[source] base64::DecodeError),
    /// None or more than one of the three forms of a body is given.
    #[error("a body takes exactly one of `text`, `base64` and `filled`")]
    BodyForm,
    /// The base64 text is broken.
    #[error("the body is not valid base64")]
    Base64(#[from] base64::DecodeError),
    /// The filled body is shorter than its fixed parts.
    #[error("the length {length} has no room for `before` and `after` ({fixed} bytes)")]
    FilledTooShort {
        /// What was asked for.
        length: u64,
        /// What the fixed parts take.
        fixed: u64,
    },
    /// The filled body is over the bound or has nothing to fill with.
    #[error("a body of {length} bytes cannot be made (the bound is {BODY_LIMIT_BYTES})")]
    FilledTooLong {
        /// What was asked for.
        length: u64,
    },
}

impl RequestSpec {
    /// Returns the method that goes on the wire.
    pub fn method(&self) -> &str {
        match (&self.method, &self.body) {
            (Some(method), _) => method,
            (None, Some(_)) if self.upgrade.is_none() => "POST",
            (None, Some(_) | None) => "GET",
        }
    }

    /// Returns the header fields as pairs.
    pub fn header_pairs(&self) -> Result<Vec<(String, String)>, RequestSpecError> {
        parse_headers(&self.headers)
    }

    /// Returns the trailer fields as pairs.
    pub fn trailer_pairs(&self) -> Result<Vec<(String, String)>, RequestSpecError> {
        parse_headers(&self.trailers)
    }

    /// Checks that the parts of the request are well formed and go together.
    pub fn check_form(&self) -> Result<(), RequestSpecError> {
        self.trailer_pairs()?;
        if let Some(raw) = &self.raw {
            raw.bytes_for("")?;
        }
        let parts = RequestParts {
            protocol: self.protocol,
            is_raw: self.raw.is_some(),
            headers: self.headers.len(),
            has_body: self.body.is_some(),
            framing: self.body.as_ref().map(|body| body.framing),
            trailers: self.trailers.len(),
            body_pacing: self.body_pacing.as_ref().map(|pacing| pacing.value),
            body_start: self.body_start,
            upgrade: self.upgrade,
            linger_milliseconds: self.raw.as_ref().and_then(|raw| raw.linger_milliseconds),
        };
        match parts.fault() {
            Some(fault) => Err(RequestSpecError::Combination { fault }),
            None => Ok(()),
        }
    }

    /// Returns the bytes of the body.
    pub fn body_bytes(&self) -> Result<Option<Vec<u8>>, RequestSpecError> {
        self.body.as_ref().map(|body| body.bytes()).transpose()
    }
}

impl BodySpec {
    /// Returns the bytes that the description stands for.
    pub fn bytes(&self) -> Result<Vec<u8>, RequestSpecError> {
        match (&self.text, &self.base64, &self.filled) {
            (Some(text), None, None) => Ok(text.clone().into_bytes()),
            (None, Some(base64), None) => Ok(STANDARD.decode(base64)?),
            (None, None, Some(filled)) => filled.bytes(),
            _ => Err(RequestSpecError::BodyForm),
        }
    }
}

impl RawSpec {
    /// Returns the bytes with the request's id in place of each `{id}`.
    pub fn bytes_for(&self, id: &str) -> Result<Vec<u8>, RequestSpecError> {
        let template = match (&self.text, &self.base64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD
                .decode(base64)
                .map_err(RequestSpecError::RawBase64)?,
            (Some(_), Some(_)) | (None, None) => return Err(RequestSpecError::RawForm),
        };
        let mut bytes = Vec::with_capacity(template.len() + id.len());
        let mut rest = template.as_slice();
        while let Some((&first, after_first)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(ID_PLACEHOLDER) {
                bytes.extend_from_slice(id.as_bytes());
                rest = after;
            } else {
                bytes.push(first);
                rest = after_first;
            }
        }
        Ok(bytes)
    }
}

/// What a request is made of, as far as it decides whether the parts go together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestParts {
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// Whether the request is given as raw bytes.
    pub(crate) is_raw: bool,
    /// How many header fields there are.
    pub(crate) headers: usize,
    /// Whether there is a body.
    pub(crate) has_body: bool,
    /// How the body is framed, where that is given.
    pub(crate) framing: Option<Framing>,
    /// How many trailer fields there are.
    pub(crate) trailers: usize,
    /// How the body is spread over time.
    pub(crate) body_pacing: Option<BodyPacing>,
    /// When the body follows the head.
    pub(crate) body_start: BodyStart,
    /// The other protocol that is asked for.
    pub(crate) upgrade: Option<Upgrade>,
    /// How long the connection is read on after the answer.
    pub(crate) linger_milliseconds: Option<u32>,
}

impl RequestParts {
    /// Says what does not go with what, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let is_plain = self.headers == 0 && !self.has_body && self.trailers == 0;
        if self.is_raw && (!is_plain || self.upgrade.is_some()) {
            return Some("raw bytes take no header fields, body, trailers or upgrade");
        }
        if self.is_raw && self.protocol != Protocol::Http1 {
            return Some("raw bytes take no protocol: they are what they are");
        }
        if self.body_start == BodyStart::AfterContinue && (self.is_raw || !self.has_body) {
            return Some("only a body can wait for `100 Continue`");
        }
        if self.trailers > 0
            && self.protocol != Protocol::H2
            && self.framing != Some(Framing::Chunked)
        {
            return Some("trailer fields follow only a chunked body in HTTP/1.1");
        }
        self.timing_fault().or_else(|| self.upgrade_fault())
    }

    fn timing_fault(&self) -> Option<&'static str> {
        if let Some(pacing) = self.body_pacing {
            if !self.has_body && !self.is_raw {
                return Some("there is no body to be sent in pieces");
            }
            if pacing.piece == 0 || pacing.interval_milliseconds > PACING_LIMIT_MILLISECONDS {
                return Some("a piece has at least 1 byte, and its pause at most 60000 ms");
            }
        }
        if self
            .linger_milliseconds
            .is_some_and(|linger| linger > LINGER_LIMIT_MILLISECONDS)
        {
            return Some("a connection is read on for at most 60000 ms");
        }
        None
    }

    fn upgrade_fault(&self) -> Option<&'static str> {
        let Some(Upgrade::Websocket) = self.upgrade else {
            return None;
        };
        if self.protocol == Protocol::Http10 {
            return Some("HTTP/1.0 has no upgrade");
        }
        let is_simple = self.trailers == 0
            && self.body_pacing.is_none()
            && self.body_start == BodyStart::AtOnce;
        (!is_simple).then_some("the body of an upgrade is one frame, without pacing or trailers")
    }
}

fn parse_headers(fields: &[Located<String>]) -> Result<Vec<(String, String)>, RequestSpecError> {
    fields.iter().map(|field| parse_header(field)).collect()
}

impl FilledBody {
    fn bytes(&self) -> Result<Vec<u8>, RequestSpecError> {
        let length = self.length;
        let fill = self.fill.as_deref().unwrap_or("a");
        let total = usize::try_from(length)
            .ok()
            .filter(|_| length <= BODY_LIMIT_BYTES && !fill.is_empty())
            .ok_or(RequestSpecError::FilledTooLong { length })?;
        let fixed = self.before.len() + self.after.len();
        let Some(gap) = total.checked_sub(fixed) else {
            return Err(RequestSpecError::FilledTooShort {
                length,
                fixed: fixed as u64,
            });
        };
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(self.before.as_bytes());
        bytes.extend(fill.bytes().cycle().take(gap));
        bytes.extend_from_slice(self.after.as_bytes());
        Ok(bytes)
    }
}

/// Splits `name: value` at the first colon.
pub fn parse_header(text: &str) -> Result<(String, String), RequestSpecError> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().into(), value.trim_start().into()))
        }
        Some(_) | None => Err(RequestSpecError::HeaderForm { text: text.into() }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_filled_body_has_the_exact_length_and_its_fixed_ends() {
        let body = FilledBody {
            before: "q=".into(),
            fill: Some("xy".into()),
            after: "!".into(),
            length: 8,
        };
        assert_eq!(body.bytes().expect("fits"), b"q=xyxyx!");
    }

    #[test]
    fn a_filled_body_without_room_is_refused() {
        let body = FilledBody {
            before: "long".into(),
            length: 2,
            ..FilledBody::default()
        };
        assert!(matches!(
            body.bytes(),
            Err(RequestSpecError::FilledTooShort {
                length: 2,
                fixed: 4
            })
        ));
    }

    #[test]
    fn the_id_is_the_only_substitution_in_raw_text() {
        let raw = RawSpec {
            text: Some("GET / HTTP/1.1\nx: {id}{{id}}{n}\r\n".into()),
            ..RawSpec::default()
        };
        assert_eq!(
            raw.bytes_for("a.b.0.r").expect("one form"),
            b"GET / HTTP/1.1\nx: a.b.0.r{a.b.0.r}{n}\r\n"
        );
        let raw = RawSpec {
            base64: Some(STANDARD.encode(b"\xff{id}\x00")),
            ..RawSpec::default()
        };
        assert_eq!(raw.bytes_for("i").expect("one form"), b"\xffi\x00");
    }

    #[rstest]
    #[case("raw: {text: x}\nheaders: ['a: b']", "raw bytes take no header")]
    #[case("raw: {text: x}\nprotocol: h2", "no protocol")]
    #[case("raw: {text: x, base64: eA==}", "exactly one")]
    #[case("raw: {}", "exactly one")]
    #[case("raw: {base64: '%'}", "base64")]
    #[case("raw: {text: x, linger-milliseconds: 60001}", "read on")]
    #[case("body-start: after-continue", "100 Continue")]
    #[case("trailers: ['a: b']\nbody: {text: x}", "chunked")]
    #[case("trailers: ['a']\nprotocol: h2", "not a header field")]
    #[case("body-pacing: {piece: 1, interval-milliseconds: 1}", "no body")]
    #[case(
        "body: {text: x}\nbody-pacing: {piece: 0, interval-milliseconds: 1}",
        "at least 1"
    )]
    #[case("upgrade: websocket\nprotocol: http1-0", "HTTP/1.0")]
    #[case(
        "upgrade: websocket\nbody: {text: x}\nbody-start: after-continue",
        "one frame"
    )]
    fn parts_that_do_not_go_together_are_refused(#[case] yaml: &str, #[case] fragment: &str) {
        let spec: RequestSpec =
            serde_saphyr::from_str(&format!("target: /\n{yaml}\n")).expect("well-formed");
        let error = spec.check_form().expect_err("they do not go together");
        assert!(error.to_string().contains(fragment), "{error}");
    }

    #[rstest]
    #[case("")]
    #[case(
        "raw: {text: x, linger-milliseconds: 10}\nbody-pacing: {piece: 1, interval-milliseconds: 5}"
    )]
    #[case("protocol: h2\ntrailers: ['a: b']")]
    #[case("body: {text: x, framing: chunked}\ntrailers: ['a: b']\nbody-start: after-continue")]
    #[case("protocol: http1-0\nbody: {text: x}")]
    #[case("upgrade: websocket\nbody: {text: hello}")]
    fn parts_that_go_together_are_taken(#[case] yaml: &str) {
        let spec: RequestSpec =
            serde_saphyr::from_str(&format!("target: /\n{yaml}\n")).expect("well-formed");
        spec.check_form().expect("they go together");
    }

    #[test]
    fn a_body_in_two_forms_is_refused() {
        let body = BodySpec {
            text: Some("a".into()),
            base64: Some("YQ==".into()),
            ..BodySpec::default()
        };
        assert!(matches!(body.bytes(), Err(RequestSpecError::BodyForm)));
    }
}
