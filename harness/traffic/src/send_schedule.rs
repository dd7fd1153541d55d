//! Says how much of a request may be written when: the head at once, the body after `100 Continue`
//! or in pieces where the plan says so. It does no I/O.

use std::time::Duration;

use tokio::time::Instant;

use crate::plan::BodyStart;
use crate::request_bytes::RequestBytes;

/// How far a request may be written.
#[derive(Debug)]
pub(crate) struct SendSchedule {
    length: usize,
    piece: Option<Piece>,
    allowed: usize,
    gate: Gate,
    pause_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    length: usize,
    interval: Duration,
}

/// Whether the body may follow the head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gate {
    Closed,
    Open,
}

impl SendSchedule {
    /// Starts the sending of a request.
    pub(crate) fn new(request: &RequestBytes) -> Self {
        let piece = request.manner.pacing.map(|pacing| Piece {
            length: usize::try_from(pacing.piece).unwrap_or(usize::MAX),
            interval: Duration::from_millis(pacing.interval_milliseconds.into()),
        });
        let mut schedule = Self {
            length: request.bytes.len(),
            piece,
            allowed: request.head_length,
            gate: match request.manner.body_start {
                BodyStart::AfterContinue => Gate::Closed,
                BodyStart::AtOnce => Gate::Open,
            },
            pause_until: None,
        };
        schedule.allow_next();
        schedule
    }

    /// Returns up to which byte the request may be written.
    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// Returns until when the next piece waits, if it does.
    pub(crate) fn pause_until(&self) -> Option<Instant> {
        self.pause_until
    }

    /// Returns whether the body waits for `100 Continue`.
    pub(crate) fn is_held_back(&self) -> bool {
        self.gate == Gate::Closed
    }

    /// Notes that the first `sent` bytes have been written.
    pub(crate) fn note_sent(&mut self, sent: usize, now: Instant) {
        if let Some(piece) = self.piece
            && sent == self.allowed
            && sent < self.length
            && !self.is_held_back()
        {
            self.pause_until = Some(now + piece.interval);
        }
    }

    /// Ends the pause before the next piece.
    pub(crate) fn end_pause(&mut self) {
        self.pause_until = None;
        self.allow_next();
    }

    /// Notes that `100 Continue` has come.
    pub(crate) fn note_continue(&mut self) {
        if self.is_held_back() {
            self.gate = Gate::Open;
            self.allow_next();
        }
    }

    fn allow_next(&mut self) {
        if self.is_held_back() {
            return;
        }
        self.allowed = match self.piece {
            Some(piece) => self.allowed.saturating_add(piece.length).min(self.length),
            None => self.length,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BodyPacing;
    use crate::request_bytes::{AnswerBody, Manner, WireForm};

    fn schedule(body_start: BodyStart, pacing: Option<BodyPacing>) -> SendSchedule {
        SendSchedule::new(&RequestBytes {
            id: "s.c.0.r".into(),
            bytes: vec![0; 20],
            head_length: 10,
            answer_body: AnswerBody::Possible,
            manner: Manner {
                form: WireForm::Http11,
                body_start,
                pacing,
                linger: Duration::ZERO,
                websocket: None,
            },
        })
    }

    #[test]
    fn without_wishes_everything_goes_at_once() {
        let mut schedule = schedule(BodyStart::AtOnce, None);
        assert_eq!(schedule.allowed(), 20);
        schedule.note_sent(7, Instant::now());
        assert_eq!(schedule.pause_until(), None);
    }

    #[test]
    fn a_body_that_waits_goes_after_the_continue_and_not_before() {
        let mut schedule = schedule(BodyStart::AfterContinue, None);
        schedule.note_sent(10, Instant::now());
        assert_eq!((schedule.allowed(), schedule.pause_until()), (10, None));
        schedule.note_continue();
        assert_eq!(schedule.allowed(), 20);
    }

    #[test]
    fn pieces_have_a_pause_after_each_but_the_last() {
        let pacing = BodyPacing {
            piece: 6,
            interval_milliseconds: 50,
        };
        let mut schedule = schedule(BodyStart::AfterContinue, Some(pacing));
        schedule.note_continue();
        assert_eq!(schedule.allowed(), 16);
        let now = Instant::now();
        schedule.note_sent(12, now);
        assert_eq!(schedule.pause_until(), None, "the piece is not through");
        schedule.note_sent(16, now);
        assert_eq!(
            schedule.pause_until(),
            Some(now + Duration::from_millis(50))
        );
        schedule.end_pause();
        assert_eq!(schedule.allowed(), 20);
        schedule.note_sent(20, now);
        assert_eq!(schedule.pause_until(), None);
    }
}
