//! Requests as scenario and payload files write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
pub use super::request_form::{BodyPacing, BodyStart, Framing, Protocol, Upgrade};
use super::request_parts::RequestParts;

/// The largest body that a file may describe, in bytes.
pub const BODY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

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
    /// How long the connection is read on after the first answer, in milliseconds, for unsolicited
    /// answers; 300 when not given, at most 60000.
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
    #[error("the length {length} is too short for `before` and `after` ({fixed} bytes)")]
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

    /// Checks that the body can be made, without making it: listing scenarios must not write out their long bodies.
    pub fn check_body(&self) -> Result<(), RequestSpecError> {
        self.body.as_ref().map_or(Ok(()), |body| body.check())
    }

    /// Returns the bytes of the body.
    pub fn body_bytes(&self) -> Result<Option<Vec<u8>>, RequestSpecError> {
        self.body.as_ref().map(|body| body.bytes()).transpose()
    }
}

impl BodySpec {
    /// Checks that the body can be made. A long one is not made for it.
    pub fn check(&self) -> Result<(), RequestSpecError> {
        match self {
            Self {
                text: None,
                base64: None,
                filled: Some(filled),
                ..
            } => filled.check(),
            Self { .. } => self.bytes().map(|_| ()),
        }
    }

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

fn parse_headers(fields: &[Located<String>]) -> Result<Vec<(String, String)>, RequestSpecError> {
    fields.iter().map(|field| parse_header(field)).collect()
}

impl FilledBody {
    /// Checks that the body can be made, without making it.
    pub fn check(&self) -> Result<(), RequestSpecError> {
        self.gap().map(|_| ())
    }

    /// Returns how many bytes of `fill` the body has, or why there is no such body.
    fn gap(&self) -> Result<usize, RequestSpecError> {
        let length = self.length;
        let fill = self.fill.as_deref().unwrap_or("a");
        let total = usize::try_from(length)
            .ok()
            .filter(|_| length <= BODY_LIMIT_BYTES && !fill.is_empty())
            .ok_or(RequestSpecError::FilledTooLong { length })?;
        let fixed = self.before.len() + self.after.len();
        total
            .checked_sub(fixed)
            .ok_or(RequestSpecError::FilledTooShort {
                length,
                fixed: fixed as u64,
            })
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, RequestSpecError> {
        let gap = self.gap()?;
        let fill = self.fill.as_deref().unwrap_or("a");
        let mut bytes = Vec::with_capacity(self.before.len() + gap + self.after.len());
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
#[path = "request_tests.rs"]
mod tests;
