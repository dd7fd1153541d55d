//! One call after its stream is open: its last bytes, its answer, its status.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::connection::{Usage, detail};
use super::framing::{AnswerBuffer, FramingError};
use super::record::{CallEnd, CallResult, StatusGiver};
use crate::escape::escape_bounded;
use crate::failure::DETAIL_LIMIT;

/// The status of a call whose deadline has passed.
const DEADLINE_EXCEEDED: u32 = 4;

/// A call whose stream is open.
pub(super) struct OpenCall {
    pub(super) response: ResponseFuture,
    pub(super) stream: SendStream<Bytes>,
    /// What is still to be sent; empty when the stream was ended already.
    pub(super) held_back: Bytes,
    pub(super) usage: Arc<Usage>,
    pub(super) started: Instant,
    pub(super) deadline: Option<Duration>,
    pub(super) timeout: Duration,
}

/// Why a call has no status.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("no message can be read")]
    Framing(#[from] FramingError),
    #[error("the answer has the status {0} of HTTP")]
    HttpStatus(u16),
    #[error(transparent)]
    Library(#[from] h2::Error),
    #[error("the answer ends without a status of gRPC")]
    NoStatus,
}

impl OpenCall {
    /// Completes the call, once that is allowed, and waits for its end.
    pub(super) async fn complete(mut self, allowed: watch::Receiver<Completing>) -> CallResult {
        let bound = self
            .deadline
            .map_or(self.timeout, |deadline| deadline.min(self.timeout));
        let until = self.started + bound;
        let usage = Arc::clone(&self.usage);
        let ended = timeout_at(until, self.converse(allowed)).await;
        usage.note_closed();
        match ended {
            Ok(Ok(end)) => CallResult::Ended(end),
            Ok(Err(CallError::Library(error))) if usage.has_answered() => CallResult::Lost {
                detail: detail(&error),
            },
            Ok(Err(CallError::Library(error))) => CallResult::NoConnection {
                detail: detail(&error),
            },
            Ok(Err(
                error @ (CallError::Framing(_) | CallError::HttpStatus(_) | CallError::NoStatus),
            )) => CallResult::Malformed {
                detail: detail(&error),
            },
            Err(_) => {
                self.stream.send_reset(Reason::CANCEL);
                self.out_of_time()
            }
        }
    }

    fn out_of_time(&self) -> CallResult {
        if self
            .deadline
            .is_some_and(|deadline| deadline <= self.timeout)
        {
            return CallResult::Ended(CallEnd {
                status: DEADLINE_EXCEEDED,
                given_by: StatusGiver::Deadline,
                message: String::new(),
                messages_base64: Vec::new(),
            });
        }
        let detail = format!("no status within {} ms", self.timeout.as_millis());
        if self.usage.has_answered() {
            CallResult::Lost { detail }
        } else {
            CallResult::NoConnection { detail }
        }
    }

    async fn converse(
        &mut self,
        mut allowed: watch::Receiver<Completing>,
    ) -> Result<CallEnd, CallError> {
        if !self.held_back.is_empty() {
            // The group's end, too, lets go of what is held back.
            let _ = allowed
                .wait_for(|state| *state == Completing::Allowed)
                .await;
            let rest = std::mem::take(&mut self.held_back);
            // A server may have answered and ended the stream already; the answer says so.
            let _ = self.stream.send_data(rest, true);
        }
        let response = (&mut self.response).await?;
        self.usage.note_answer();
        if response.status() != http::StatusCode::OK {
            return Err(CallError::HttpStatus(response.status().as_u16()));
        }
        let (head, mut body) = response.into_parts();
        let mut answer = AnswerBuffer::default();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            answer.add(&piece)?;
            body.flow_control().release_capacity(piece.len())?;
        }
        let trailers = body.trailers().await?;
        // An answer without messages may have its status in its only head.
        let fields = trailers.as_ref().unwrap_or(&head.headers);
        let (status, message) = status_of(fields).ok_or(CallError::NoStatus)?;
        let messages = answer.messages()?;
        Ok(CallEnd {
            status,
            given_by: StatusGiver::Server,
            message,
            messages_base64: messages
                .into_iter()
                .map(|message| STANDARD.encode(message))
                .collect(),
        })
    }
}

/// Whether calls may be completed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Completing {
    /// They may.
    Allowed,
    /// Not all of the group are open.
    HeldBack,
}

fn status_of(fields: &HeaderMap) -> Option<(u32, String)> {
    let status = fields.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = fields
        .get("grpc-message")
        .map(|text| escape_bounded(text.as_bytes(), DETAIL_LIMIT))
        .unwrap_or_default();
    Some((status, message))
}
