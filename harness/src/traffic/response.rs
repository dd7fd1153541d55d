//! Parses an answer as hostile input: the head bounded, interim answers skipped, ambiguous framing
//! refused. It does no I/O.

use crate::traffic::body_decoder::{BodyDecoder, BodyError, BodyFraming};
use crate::traffic::escape::escape;
use crate::traffic::record::{RequestPhase, ResponseRecord};
use crate::traffic::request_bytes::AnswerBody;

/// The most bytes of one head.
const HEAD_LIMIT: usize = 64 * 1024;
/// The most header fields of one head.
const FIELD_LIMIT: usize = 256;
/// The most interim (1xx) answers before the final one.
const INTERIM_LIMIT: usize = 16;
/// Up to this size a head is parsed with every read, so that bytes that are not HTTP are refused
/// at once. Beyond it a parse waits for a line end: a head that comes byte by byte costs no
/// quadratic time.
const EAGER_PARSE_LIMIT: usize = 1024;

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct ResponseParser {
    answer_body: AnswerBody,
    body_limit: u64,
    interim_answers: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Body { head: Head, body: Box<BodyDecoder> },
    Head { unparsed: Vec<u8> },
}

#[derive(Debug)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    reuse: ConnectionReuse,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What came back.
    pub(crate) record: ResponseRecord,
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

/// Whether more bytes are needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// The answer is complete; this many bytes of the input were left over.
    Complete {
        /// Bytes that do not belong to the answer.
        surplus: usize,
    },
    /// More bytes are needed.
    Incomplete,
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

impl ResponseParser {
    /// Starts an answer whose body has at most `body_limit` bytes.
    pub(crate) fn new(answer_body: AnswerBody, body_limit: u64) -> Self {
        Self {
            answer_body,
            body_limit,
            interim_answers: 0,
            state: State::Head {
                unparsed: Vec::new(),
            },
        }
    }

    /// Returns what is being read.
    pub(crate) fn phase(&self) -> RequestPhase {
        match self.state {
            State::Body { .. } => RequestPhase::ResponseBody,
            State::Head { .. } => RequestPhase::ResponseHead,
        }
    }

    /// Takes the next bytes. Once the answer is complete it takes no more.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Progress, ResponseError> {
        match &mut self.state {
            State::Body { body, .. } => read_body(body, input),
            State::Head { unparsed } => {
                let is_worth_parsing = unparsed.len() < EAGER_PARSE_LIMIT || input.contains(&b'\n');
                unparsed.extend_from_slice(input);
                if is_worth_parsing || unparsed.len() > HEAD_LIMIT {
                    self.parse_heads()
                } else {
                    Ok(Progress::Incomplete)
                }
            }
        }
    }

    /// Tells the parser that the other side has closed. Returns whether that completes the answer.
    pub(crate) fn is_complete_at_close(&self) -> bool {
        match &self.state {
            State::Body { body, .. } => body.ends_with_close(),
            State::Head { .. } => false,
        }
    }

    /// Describes how much has come, for a failure's detail.
    pub(crate) fn describe_progress(&self) -> String {
        match &self.state {
            State::Body { body, .. } => {
                format!("after {} bytes of the answer's body", body.length())
            }
            State::Head { unparsed } => {
                format!("after {} bytes of the answer's head", unparsed.len())
            }
        }
    }

    /// Hands out the answer once it is complete.
    pub(crate) fn into_answer(self) -> Option<Answer> {
        let State::Body { head, body } = self.state else {
            return None;
        };
        if !body.is_complete() && !body.ends_with_close() {
            return None;
        }
        let reuse = if body.ends_with_close() {
            ConnectionReuse::Impossible
        } else {
            head.reuse
        };
        let body = body.finish();
        Some(Answer {
            record: ResponseRecord {
                status: head.status,
                headers: head.headers,
                body_length: body.length,
                body_sha256: body.sha256,
                body_head_base64: body.head_base64,
            },
            reuse,
        })
    }

    /// Parses the final head, and the interim ones before it, as far as they have come.
    fn parse_heads(&mut self) -> Result<Progress, ResponseError> {
        let State::Head { unparsed } = &mut self.state else {
            return Ok(Progress::Incomplete);
        };
        let mut start = 0;
        loop {
            let Some((head, framing, length)) = parse_head(&unparsed[start..], self.answer_body)?
            else {
                unparsed.drain(..start);
                return Ok(Progress::Incomplete);
            };
            start += length;
            // 101 is final: what follows is another protocol.
            if (100..200).contains(&head.status) && head.status != 101 {
                self.interim_answers += 1;
                if self.interim_answers > INTERIM_LIMIT {
                    return Err(ResponseError::InterimAnswers);
                }
                continue;
            }
            let mut body = Box::new(BodyDecoder::new(framing, self.body_limit)?);
            let rest = unparsed.split_off(start);
            let progress = read_body(&mut body, &rest);
            self.state = State::Body { head, body };
            return progress;
        }
    }
}

fn read_body(body: &mut BodyDecoder, input: &[u8]) -> Result<Progress, ResponseError> {
    let taken = body.read(input)?;
    if body.is_complete() {
        return Ok(Progress::Complete {
            surplus: input.len() - taken,
        });
    }
    Ok(Progress::Incomplete)
}

/// Returns the head with the framing of its body and its length, or none while it is incomplete.
fn parse_head(
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

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
