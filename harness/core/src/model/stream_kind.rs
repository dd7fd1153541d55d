//! Which of two streams that go on together a request is of.

use std::fmt;

use super::outcome::Outcome;

/// Which of the two streams a request is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamKind {
    /// Attacks, which the agent must deny.
    Attack,
    /// Requests that must be answered.
    Benign,
}

impl StreamKind {
    /// Returns what becomes of such a request while nothing is amiss.
    pub const fn usual(self) -> Outcome {
        match self {
            Self::Attack => Outcome::BlockedByAgent,
            Self::Benign => Outcome::Allowed,
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Attack => "attack",
            Self::Benign => "benign",
        })
    }
}
