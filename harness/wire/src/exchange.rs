//! One check on one stream: the request, the answer, and which of them is whole.

use jiff::Timestamp;

use crate::frames::StreamEnd;
use crate::grpc::{MESSAGE_BYTES, Message, MessageReader};
use crate::headers::{Fields, Number};
use crate::record::{WireAnswer, WireRecord};

/// What a check's record takes in memory beside the message that it was read from, in bytes.
const RECORD_OVERHEAD: usize = 1024;

/// The gRPC status of what has none.
const UNKNOWN: u32 = 2;

/// A check under way.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    request: MessageReader,
    asked: Option<Asked>,
    head: AnswerHead,
    answer: MessageReader,
    received: Option<WireAnswer>,
}

#[derive(Debug)]
struct Asked {
    record: WireRecord,
    weight: usize,
    interest: Interest,
}

/// Whether the proxy still waits for the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Interest {
    Waits,
    GaveUp,
}

/// Whether the head of the answer has been seen.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum AnswerHead {
    #[default]
    Awaited,
    Seen,
}

/// What an event makes of a check.
#[derive(Debug)]
pub(crate) enum Step {
    /// It goes on.
    Goes,
    /// It is answered.
    Answered(Box<WireRecord>),
    /// It cannot be read.
    Lost(String),
}

impl Exchange {
    /// Returns roughly how many bytes the check keeps in memory.
    pub(crate) fn held(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |asked| asked.weight);
        self.request.held() + self.answer.held() + asked
    }

    /// Takes data from the proxy.
    pub(crate) fn request_data(&mut self, at: Timestamp, mut data: &[u8], end: StreamEnd) -> Step {
        while let Some(message) = self.request.next(&mut data) {
            let message = match message {
                Message::Whole(message) => message,
                Message::TooLong(length) => {
                    return Step::Lost(format!(
                        "a check request of {length} bytes is longer than {MESSAGE_BYTES}"
                    ));
                }
                Message::Compressed => {
                    return Step::Lost("a check request is compressed".to_owned());
                }
            };
            if self.asked.is_some() {
                return Step::Lost("a check has more than one request".to_owned());
            }
            match WireRecord::read(&message, at) {
                Ok(record) => {
                    self.asked = Some(Asked {
                        record,
                        weight: message.len() + RECORD_OVERHEAD,
                        interest: Interest::Waits,
                    });
                }
                Err(error) => return Step::Lost(format!("no check request: {error}")),
            }
        }
        self.request_end(end)
    }

    /// Takes that the proxy has sent all.
    pub(crate) fn request_end(&self, end: StreamEnd) -> Step {
        match (end, &self.asked) {
            (StreamEnd::Ended, None) => {
                Step::Lost("a check ended before its request was whole".to_owned())
            }
            (StreamEnd::Ended | StreamEnd::Open, _) => Step::Goes,
        }
    }

    /// Takes a header block from the agent: the head or the trailers.
    pub(crate) fn answer_headers(
        &mut self,
        at: Timestamp,
        fields: &Fields,
        end: StreamEnd,
    ) -> Step {
        match (self.head, fields.status, end) {
            // An interim response.
            (AnswerHead::Awaited, Some(Number::Is(100..200)), StreamEnd::Open) => Step::Goes,
            (AnswerHead::Awaited, Some(Number::Is(200)), StreamEnd::Open) => {
                self.head = AnswerHead::Seen;
                Step::Goes
            }
            (AnswerHead::Awaited, Some(Number::Is(200)), StreamEnd::Ended)
            | (AnswerHead::Seen, _, StreamEnd::Ended) => self.answer_end(at, fields),
            (AnswerHead::Awaited, Some(Number::Is(_)), _) if fields.grpc_status.is_some() => {
                self.answer_end(at, fields)
            }
            (AnswerHead::Awaited, Some(Number::Is(status)), _) => {
                let message = format!("HTTP status {status}");
                self.answered(WireAnswer::failed(at, grpc_code(status), message))
            }
            (AnswerHead::Awaited, Some(Number::Malformed) | None, _) => {
                let reason = "an answer without an HTTP status".to_owned();
                self.answered(WireAnswer::undecodable(at, reason))
            }
            (AnswerHead::Seen, _, StreamEnd::Open) => {
                let reason = "an answer with trailers that do not end it".to_owned();
                self.answered(WireAnswer::undecodable(at, reason))
            }
        }
    }

    /// Takes data from the agent.
    pub(crate) fn answer_data(&mut self, at: Timestamp, mut data: &[u8], end: StreamEnd) -> Step {
        if self.head == AnswerHead::Awaited {
            let reason = "an answer with data before its head".to_owned();
            return self.answered(WireAnswer::undecodable(at, reason));
        }
        while let Some(message) = self.answer.next(&mut data) {
            let answer = match (message, &self.received) {
                (_, Some(_)) => {
                    let reason = "more than one message".to_owned();
                    WireAnswer::undecodable(at, reason)
                }
                (Message::Whole(message), None) => WireAnswer::read(&message, at),
                (Message::TooLong(length), None) => {
                    let reason =
                        format!("a message of {length} bytes is longer than {MESSAGE_BYTES}");
                    WireAnswer::undecodable(at, reason)
                }
                (Message::Compressed, None) => {
                    let reason = "a compressed message is not supported".to_owned();
                    WireAnswer::undecodable(at, reason)
                }
            };
            self.received = Some(answer);
        }
        match end {
            StreamEnd::Open => Step::Goes,
            StreamEnd::Ended => self.answer_end(at, &Fields::default()),
        }
    }

    /// Gives the check up for the proxy; returns its record, once.
    pub(crate) fn give_up(&mut self) -> Option<WireRecord> {
        let asked = self.asked.as_mut()?;
        match asked.interest {
            Interest::Waits => {
                asked.interest = Interest::GaveUp;
                Some(asked.record.clone())
            }
            Interest::GaveUp => None,
        }
    }

    /// Ends the check without an answer; returns its record unless there has been one.
    pub(crate) fn close(mut self) -> Option<WireRecord> {
        self.give_up()
    }

    /// Tells whether the proxy waits for the answer.
    pub(crate) fn is_awaited(&self) -> bool {
        let asked = self.asked.as_ref();
        asked.is_none_or(|asked| asked.interest == Interest::Waits)
    }

    /// Tells whether the request is whole.
    pub(crate) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    fn answer_end(&mut self, at: Timestamp, trailers: &Fields) -> Step {
        let answer = match (trailers.grpc_status, self.received.take()) {
            (Some(Number::Is(0)), _) if !self.answer.is_between_messages() => {
                WireAnswer::undecodable(at, "a message that is cut short".to_owned())
            }
            (Some(Number::Is(0)), Some(answer)) => WireAnswer { at, ..answer },
            (Some(Number::Is(0)), None) => WireAnswer::failed(at, 0, "no message".to_owned()),
            (Some(Number::Is(code)), _) => {
                WireAnswer::failed(at, code, trailers.grpc_message.clone())
            }
            (Some(Number::Malformed), _) => {
                WireAnswer::failed(at, UNKNOWN, "grpc-status is not a number".to_owned())
            }
            (None, _) => WireAnswer::failed(at, UNKNOWN, "no grpc-status".to_owned()),
        };
        self.answered(answer)
    }

    fn answered(&mut self, answer: WireAnswer) -> Step {
        match self.asked.take() {
            Some(asked) => Step::Answered(Box::new(WireRecord {
                answer: Some(answer),
                ..asked.record
            })),
            None => Step::Lost("a check was answered before its request was whole".to_owned()),
        }
    }
}

/// Returns the gRPC status that an HTTP status counts as.
///
/// Source: "HTTP to gRPC Status Code Mapping" of gRPC's documentation.
const fn grpc_code(status: u32) -> u32 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => UNKNOWN,
    }
}
