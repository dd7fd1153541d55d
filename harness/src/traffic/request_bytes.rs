//! Turns a planned request into the exact bytes that are sent. Nothing is normalised: the target,
//! the method and the header fields go out as the plan has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::traffic::plan::{Framing, PlannedRequest};

/// The header that carries the request's id.
pub(crate) const ID_HEADER: &str = "x-conformance-id";
/// What a repeated request's number replaces in its id.
pub(crate) const NUMBER_PLACEHOLDER: &str = "{n}";
/// The most bytes of one chunk of a chunked request body.
const CHUNK_SIZE: usize = 4 * 1024;

/// A planned request, checked and ready to be written as often as needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RequestTemplate {
    id: String,
    request_line: Vec<u8>,
    after_id: Vec<u8>,
    answer_body: AnswerBody,
}

/// One request as it goes out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RequestBytes {
    /// The request's id.
    pub(crate) id: String,
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
    /// Whether the answer can have a body.
    pub(crate) answer_body: AnswerBody,
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
    /// A field has a byte that would end it.
    #[error("request `{id}`: {field} contains CR, LF or NUL")]
    ControlCharacter {
        /// The request, escaped.
        id: String,
        /// Which part of the request.
        field: String,
    },
}

impl RequestTemplate {
    /// Checks a planned request that goes to `address`.
    pub(crate) fn new(request: &PlannedRequest, address: &str) -> Result<Self, RequestError> {
        refuse_control_characters(request, "the id", &request.id)?;
        refuse_control_characters(request, "the method", &request.method)?;
        refuse_control_characters(request, "the target", &request.target)?;
        for (name, value) in &request.headers {
            refuse_control_characters(request, "a header name", name)?;
            refuse_control_characters(request, &format!("the header `{name}`"), value)?;
        }
        let body = match &request.body_base64 {
            None => None,
            Some(text) => Some(STANDARD.decode(text).map_err(|source| RequestError::Body {
                id: request.id.clone(),
                source,
            })?),
        };
        Ok(Self {
            id: request.id.clone(),
            request_line: format!("{} {} HTTP/1.1\r\n", request.method, request.target)
                .into_bytes(),
            after_id: after_id(request, address, body.as_deref()),
            answer_body: match request.method.as_str() {
                "HEAD" => AnswerBody::Never,
                _ => AnswerBody::Possible,
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

    fn with_id(&self, id: String) -> RequestBytes {
        let mut bytes = Vec::with_capacity(
            self.request_line.len() + ID_HEADER.len() + id.len() + 4 + self.after_id.len(),
        );
        bytes.extend_from_slice(&self.request_line);
        push_field(&mut bytes, ID_HEADER, &id);
        bytes.extend_from_slice(&self.after_id);
        RequestBytes {
            id,
            bytes,
            answer_body: self.answer_body,
        }
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

/// Returns everything that follows the id: `host`, the given fields, the framing, the body.
///
/// A field that the plan gives itself is not added a second time, however wrong its value is.
fn after_id(request: &PlannedRequest, address: &str, body: Option<&[u8]>) -> Vec<u8> {
    let has = |name: &str| {
        request
            .headers
            .iter()
            .any(|(field, _)| field.eq_ignore_ascii_case(name))
    };
    let mut bytes = Vec::new();
    if !has("host") {
        push_field(&mut bytes, "host", address);
    }
    for (name, value) in &request.headers {
        push_field(&mut bytes, name, value);
    }
    let Some(body) = body else {
        bytes.extend_from_slice(b"\r\n");
        return bytes;
    };
    match request.framing {
        Framing::ContentLength => {
            if !has("content-length") && !has("transfer-encoding") {
                push_field(&mut bytes, "content-length", &body.len().to_string());
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(body);
        }
        Framing::Chunked => {
            if !has("transfer-encoding") {
                push_field(&mut bytes, "transfer-encoding", "chunked");
            }
            bytes.extend_from_slice(b"\r\n");
            for chunk in body.chunks(CHUNK_SIZE) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
    }
    bytes
}

fn push_field(bytes: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn planned(headers: &[(&str, &str)], body: Option<&str>, framing: Framing) -> PlannedRequest {
        PlannedRequest {
            id: "s.c.{n}.r".into(),
            method: "POST".into(),
            target: "/a/../%2e//?q=<'>".into(),
            headers: headers
                .iter()
                .map(|&(name, value)| (name.into(), value.into()))
                .collect(),
            body_base64: body.map(|body| STANDARD.encode(body)),
            framing,
        }
    }

    fn text_of(request: &PlannedRequest) -> String {
        let template = RequestTemplate::new(request, "10.0.0.1:8000").expect("valid");
        String::from_utf8(template.numbered(7).bytes).expect("text")
    }

    #[test]
    fn a_request_without_body_has_only_the_host_added() {
        assert_eq!(
            text_of(&planned(
                &[("B", "1"), ("a", " 2 ")],
                None,
                Framing::ContentLength
            )),
            "POST /a/../%2e//?q=<'> HTTP/1.1\r\nx-conformance-id: s.c.7.r\r\n\
             host: 10.0.0.1:8000\r\nB: 1\r\na:  2 \r\n\r\n"
        );
    }

    #[rstest]
    #[case(&[], "content-length: 5\r\n\r\nhello")]
    #[case(&[("Content-Length", "4")], "Content-Length: 4\r\n\r\nhello")]
    #[case(&[("transfer-encoding", "x")], "transfer-encoding: x\r\n\r\nhello")]
    fn the_length_is_added_only_where_the_plan_has_no_framing(
        #[case] headers: &[(&str, &str)],
        #[case] end: &str,
    ) {
        let text = text_of(&planned(headers, Some("hello"), Framing::ContentLength));
        assert!(text.ends_with(end), "{text}");
        assert!(
            text.to_lowercase().matches("content-length").count() <= 1,
            "{text}"
        );
    }

    #[test]
    fn an_empty_body_still_has_a_length() {
        let text = text_of(&planned(&[], Some(""), Framing::ContentLength));
        assert!(text.ends_with("content-length: 0\r\n\r\n"), "{text}");
    }

    #[test]
    fn a_chunked_body_is_cut_at_four_kibibytes() {
        let body = "x".repeat(CHUNK_SIZE + 1);
        let text = text_of(&planned(&[("HOST", "h")], Some(&body), Framing::Chunked));
        assert!(!text.contains("host: 10."), "{text}");
        let body = text
            .split_once("transfer-encoding: chunked\r\n\r\n")
            .expect("the framing comes last")
            .1;
        assert!(body.starts_with("1000\r\nxx"), "{body}");
        assert!(body.ends_with("x\r\n1\r\nx\r\n0\r\n\r\n"), "{body}");
    }

    #[test]
    fn the_number_is_put_into_the_id_and_nowhere_else() {
        let request = planned(&[("x-n", "{n}")], None, Framing::ContentLength);
        let template = RequestTemplate::new(&request, "h:1").expect("valid");
        let numbered = template.numbered(3);
        assert_eq!(numbered.id, "s.c.3.r");
        let text = String::from_utf8(numbered.bytes).expect("text");
        assert!(text.contains("x-n: {n}\r\n"), "{text}");
        assert_eq!(template.once().id, "s.c.{n}.r");
    }

    #[rstest]
    #[case("x\r\ny: z", "the header `a`")]
    #[case("x\0", "the header `a`")]
    #[case("x\n", "the header `a`")]
    fn a_field_that_would_end_itself_is_refused(#[case] value: &str, #[case] field: &str) {
        let request = planned(&[("a", value)], None, Framing::ContentLength);
        let error = RequestTemplate::new(&request, "h:1").expect_err("a control character");
        assert!(error.to_string().contains(field), "{error}");
    }

    #[test]
    fn control_characters_are_refused_in_every_other_part() {
        let mut id = planned(&[], None, Framing::ContentLength);
        id.id = "a\nb".into();
        let mut method = planned(&[], None, Framing::ContentLength);
        method.method = "GET\r".into();
        let mut target = planned(&[], None, Framing::ContentLength);
        target.target = "/\n".into();
        let name = planned(&[("a\n", "1")], None, Framing::ContentLength);
        for request in [id, method, target, name] {
            let error = RequestTemplate::new(&request, "h:1").expect_err("a control character");
            assert!(!error.to_string().contains(['\r', '\n']), "{error}");
        }
    }

    #[test]
    fn a_body_that_is_not_base64_is_refused() {
        let mut request = planned(&[], None, Framing::ContentLength);
        request.body_base64 = Some("%".into());
        let error = RequestTemplate::new(&request, "h:1").expect_err("not base64");
        assert!(matches!(error, RequestError::Body { .. }), "{error}");
    }
}
