//! Parses an answer as its bytes come: interim answers are noted, the body is decoded. It does no
//! I/O.

use crate::body_decoder::BodyDecoder;
use crate::record::{RequestPhase, ResponseRecord};
use crate::request_bytes::AnswerBody;
use crate::response_head::{
    ConnectionReuse, HEAD_LIMIT, Head, INTERIM_LIMIT, ResponseError, parse_head,
};

/// Up to this size a head is parsed with every read, so that bytes that are not HTTP are refused
/// at once. Beyond it a parse waits for a line end: a head that comes byte by byte costs no
/// quadratic time.
const EAGER_PARSE_LIMIT: usize = 1024;

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct ResponseParser {
    answer_body: AnswerBody,
    body_limit: u64,
    informational: Vec<u16>,
    state: State,
}

#[derive(Debug)]
enum State {
    Body { head: Head, body: Box<BodyDecoder> },
    Head { unparsed: Vec<u8> },
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct ParsedAnswer {
    /// What came back.
    pub(crate) record: ResponseRecord,
    /// Whether the connection can take another request.
    pub(crate) reuse: ConnectionReuse,
}

/// Whether more bytes are needed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ParseProgress {
    /// The answer is complete; this many bytes of the input were left over.
    Complete {
        /// Bytes that do not belong to the answer.
        surplus: usize,
    },
    /// More bytes are needed.
    Incomplete,
}

impl ResponseParser {
    /// Starts an answer whose body has at most `body_limit` bytes.
    pub(crate) fn new(answer_body: AnswerBody, body_limit: u64) -> Self {
        Self {
            answer_body,
            body_limit,
            informational: Vec::new(),
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

    /// Returns the interim answers so far.
    pub(crate) fn informational(&self) -> &[u16] {
        &self.informational
    }

    /// Returns how many bytes of the final answer's body have come.
    pub(crate) fn body_length(&self) -> u64 {
        match &self.state {
            State::Body { body, .. } => body.length(),
            State::Head { .. } => 0,
        }
    }

    /// Returns whether something has come that belongs to no interim answer, as far as is known.
    pub(crate) fn is_begun(&self) -> bool {
        match &self.state {
            State::Body { .. } => true,
            State::Head { unparsed } => !unparsed.is_empty(),
        }
    }

    /// Takes the next bytes. Once the answer is complete it takes no more.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<ParseProgress, ResponseError> {
        match &mut self.state {
            State::Body { body, .. } => read_body(body, input),
            State::Head { unparsed } => {
                let is_worth_parsing = unparsed.len() < EAGER_PARSE_LIMIT || input.contains(&b'\n');
                unparsed.extend_from_slice(input);
                if is_worth_parsing || unparsed.len() > HEAD_LIMIT {
                    self.parse_heads()
                } else {
                    Ok(ParseProgress::Incomplete)
                }
            }
        }
    }

    /// Notes that the other side has closed. Returns whether that completes the answer. What of a head has waited for its line end
    /// is parsed now: the verdict must not depend on how the bytes were cut.
    pub(crate) fn note_close(&mut self) -> Result<bool, ResponseError> {
        self.parse_heads()?;
        Ok(match &self.state {
            State::Body { body, .. } => body.ends_with_close(),
            State::Head { .. } => false,
        })
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
    pub(crate) fn into_answer(self) -> Option<ParsedAnswer> {
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
        Some(ParsedAnswer {
            record: ResponseRecord {
                status: head.status,
                headers: head.headers,
                body_length: body.length,
                body_sha256: body.sha256,
                body_head_base64: body.head_base64,
                trailers: body.trailers,
                informational: self.informational,
                ..ResponseRecord::default()
            },
            reuse,
        })
    }

    /// Parses the final head, and the interim ones before it, as far as they have come.
    fn parse_heads(&mut self) -> Result<ParseProgress, ResponseError> {
        let State::Head { unparsed } = &mut self.state else {
            return Ok(ParseProgress::Incomplete);
        };
        let mut start = 0;
        loop {
            let Some((head, framing, length)) = parse_head(&unparsed[start..], self.answer_body)?
            else {
                unparsed.drain(..start);
                return Ok(ParseProgress::Incomplete);
            };
            start += length;
            // 101 is final: what follows is another protocol.
            if (100..200).contains(&head.status) && head.status != 101 {
                if self.informational.len() == INTERIM_LIMIT {
                    return Err(ResponseError::InterimAnswers);
                }
                self.informational.push(head.status);
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

fn read_body(body: &mut BodyDecoder, input: &[u8]) -> Result<ParseProgress, ResponseError> {
    let taken = body.read(input)?;
    if body.is_complete() {
        return Ok(ParseProgress::Complete {
            surplus: input.len() - taken,
        });
    }
    Ok(ParseProgress::Incomplete)
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
