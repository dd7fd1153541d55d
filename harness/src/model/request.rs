//! Requests as scenario and payload files write them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::located::Located;
/// The largest body that a file may describe, in bytes.
pub const BODY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// One request. It is sent byte for byte as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RequestSpec {
    /// The method; `GET` without a body and `POST` with one when not given.
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
            (None, Some(_)) => "POST",
            (None, None) => "GET",
        }
    }

    /// Returns the header fields as pairs.
    pub fn header_pairs(&self) -> Result<Vec<(String, String)>, RequestSpecError> {
        self.headers
            .iter()
            .map(|field| parse_header(field))
            .collect()
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
    fn a_body_in_two_forms_is_refused() {
        let body = BodySpec {
            text: Some("a".into()),
            base64: Some("YQ==".into()),
            ..BodySpec::default()
        };
        assert!(matches!(body.bytes(), Err(RequestSpecError::BodyForm)));
    }
}
