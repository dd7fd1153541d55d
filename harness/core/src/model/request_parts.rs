//! Which parts of a request go together, in a scenario as well as in the driver's plan.

use super::request_form::{BodyPacing, BodyStart, Framing, Protocol, Upgrade};

/// The longest interval between two pieces of a request, in milliseconds.
const PACING_LIMIT_MILLISECONDS: u32 = 60_000;
/// The longest that a connection is read on after an answer, in milliseconds.
const LINGER_LIMIT_MILLISECONDS: u32 = 60_000;

/// What a request is made of, as far as it decides whether the parts go together.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts {
    /// The protocol.
    pub protocol: Protocol,
    /// Whether the request is given as raw bytes.
    pub is_raw: bool,
    /// How many header fields there are.
    pub headers: usize,
    /// Whether there is a body.
    pub has_body: bool,
    /// How the body is framed, where that is given.
    pub framing: Option<Framing>,
    /// How many trailer fields there are.
    pub trailers: usize,
    /// How the body is spread over time.
    pub body_pacing: Option<BodyPacing>,
    /// When the body follows the head.
    pub body_start: BodyStart,
    /// The other protocol that is asked for.
    pub upgrade: Option<Upgrade>,
    /// How long the connection is read on after the answer.
    pub linger_milliseconds: Option<u32>,
}

impl RequestParts {
    /// Says what does not go with what, if anything.
    pub fn fault(&self) -> Option<&'static str> {
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
