//! Parses the head of an answer as hostile input: bounded, and refused where its framing is
//! ambiguous.

use crate::body_decoder::{BodyError, BodyFraming};
use crate::escape::escape;
use crate::record::RequestPhase;
use crate::request_bytes::AnswerBody;

/// The most bytes of one head.
pub(crate) const HEAD_LIMIT: usize = 64 * 1024;
/// The most header fields of one head.
pub(crate) const FIELD_LIMIT: usize = 256;
/// The most interim (1xx) answers before the final one.
pub(crate) const INTERIM_LIMIT: usize = 16;

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// The header fields in order; values are escaped.
    pub(crate) headers: Vec<(String, String)>,
    /// Whether the connection can take another request.
    pub(crate) reuse: ConnectionReuse,
}

/// Whether a connection can take another request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConnectionReuse {
    /// It cannot.
    Impossible,
    /// It can.
    Possible,
}

/// Why bytes are not an acceptable answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ResponseError {
    /// The body is malformed or over the bound.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The fields that frame the body contradict each other or are unknown.
    #[error("the body is not framed: {reason}")]
    Framing {
        /// What is wrong with the fields.
        reason: &'static str,
    },
    /// The head does not end within the bound.
    #[error("the head is longer than {HEAD_LIMIT} bytes")]
    HeadTooLong,
    /// The final answer does not come.
    #[error("more than {INTERIM_LIMIT} interim answers")]
    InterimAnswers,
    /// The status code is below 100.
    #[error("{status} is not a status code")]
    Status {
        /// What stood there.
        status: u16,
    },
    /// The parser refused the bytes.
    #[error("the head is not HTTP/1.1: {0}")]
    Syntax(httparse::Error),
}

impl ResponseError {
    /// Returns which part of the answer is at fault.
    pub(crate) fn phase(self) -> RequestPhase {
        match self {
            Self::Body(_) => RequestPhase::ResponseBody,
            Self::Framing { .. }
            | Self::HeadTooLong
            | Self::InterimAnswers
            | Self::Status { .. }
            | Self::Syntax(_) => RequestPhase::ResponseHead,
        }
    }
}

/// Returns the head with the framing of its body and its length, or none while it is incomplete.
pub(crate) fn parse_head(
    bytes: &[u8],
    answer_body: AnswerBody,
) -> Result<Option<(Head, BodyFraming, usize)>, ResponseError> {
    let mut fields = [httparse::EMPTY_HEADER; FIELD_LIMIT];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes).map_err(ResponseError::Syntax)? {
        httparse::Status::Complete(length) if length <= HEAD_LIMIT => length,
        httparse::Status::Partial if bytes.len() <= HEAD_LIMIT => return Ok(None),
        httparse::Status::Complete(_) | httparse::Status::Partial => {
            return Err(ResponseError::HeadTooLong);
        }
    };
    let status = response.code.unwrap_or_default();
    if status < 100 {
        return Err(ResponseError::Status { status });
    }
    let framing = body_framing(response.headers, status, answer_body)?;
    let head = Head {
        status,
        reuse: connection_reuse(response.headers, response.version, status),
        headers: response
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), escape(field.value)))
            .collect(),
    };
    Ok(Some((head, framing, length)))
}

/// Decides how the body is framed (RFC 9112, section 6.3), but refuses what the RFC lets a client
/// repair: an answer that two readers would cut differently is a finding, not an answer.
fn body_framing(
    fields: &[httparse::Header<'_>],
    status: u16,
    answer_body: AnswerBody,
) -> Result<BodyFraming, ResponseError> {
    let refused = |reason| Err(ResponseError::Framing { reason });
    let mut codings = values(fields, "transfer-encoding");
    let coding = codings.next();
    let mut lengths = values(fields, "content-length");
    let length = lengths.next();
    if let Some(length) = length
        && lengths.any(|other| other != length)
    {
        return refused("`content-length` fields that differ");
    }
    let has_no_body = matches!(status, 100..200 | 204 | 304);
    if has_no_body || answer_body == AnswerBody::Never {
        return Ok(BodyFraming::Length(0));
    }
    match (coding, length) {
        (Some(_), Some(_)) => refused("both `transfer-encoding` and `content-length`"),
        (Some(coding), None) => {
            if codings.next().is_some() || !coding.eq_ignore_ascii_case(b"chunked") {
                return refused("a `transfer-encoding` other than `chunked`");
            }
            Ok(BodyFraming::Chunked)
        }
        (None, Some(length)) => match parse_length(length) {
            Some(length) => Ok(BodyFraming::Length(length)),
            None => refused("a `content-length` that is not a number"),
        },
        (None, None) => Ok(BodyFraming::UntilClose),
    }
}

fn connection_reuse(
    fields: &[httparse::Header<'_>],
    version: Option<u8>,
    status: u16,
) -> ConnectionReuse {
    let closes = values(fields, "connection")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
    if closes || version != Some(1) || status == 101 {
        return ConnectionReuse::Impossible;
    }
    ConnectionReuse::Possible
}

fn values<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value.trim_ascii())
}

/// Reads digits only: the standard parser would also take `+5`.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}
