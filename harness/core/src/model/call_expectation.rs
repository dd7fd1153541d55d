//! What must be seen of a call to the agent that no proxy has made.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectation::AgentExpectation;
use super::located::Located;

/// What must be seen of a call. The outcome is mandatory; the rest sharpens it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallExpectation {
    /// What the call came to as the client saw it, which the agent's data log must not contradict.
    pub outcome: Located<CallOutcome>,
    /// Status codes of gRPC of which a call that failed must have one.
    #[serde(default)]
    pub grpc_status: Option<Located<Vec<u8>>>,
    /// The HTTP status that the client is to be given for a request that is blocked.
    #[serde(default)]
    pub denied_status: Option<Located<u16>>,
    /// Header fields that the answer to a check must set, each `name: value`.
    #[serde(default)]
    pub headers: Vec<Located<String>>,
    /// Names that no header field of the answer may have; a trailing `*` stands for any ending.
    #[serde(default)]
    pub absent_headers: Vec<Located<String>>,
    /// A text that the reason must contain for which there was no connection.
    #[serde(default)]
    pub reason: Option<Located<String>>,
    /// What the agent's data log must say of the check.
    #[serde(default)]
    pub agent: Option<AgentExpectation>,
}

/// What a call came to.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The stream of access-log entries was taken to its end.
    Accepted,
    /// The request may go on.
    Allowed,
    /// A check was answered: allowed, blocked, or failed with a status of gRPC. Only as an expectation, where the protocol leaves it open.
    Answered,
    /// The request must not go on.
    Blocked,
    /// The call ended with a status of gRPC other than OK.
    Failed,
    /// The call ended without a status: its time was used up, or its connection broke. Never what a scenario expects.
    Lost,
    /// The answer is none that the protocol allows. Never what a scenario expects.
    Malformed,
    /// No connection was had, or one that never answered anything.
    NoConnection,
    /// The service is known and does not serve.
    NotServing,
    /// The service serves.
    Serving,
}

impl CallOutcome {
    /// Returns the outcome as scenario files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Allowed => "allowed",
            Self::Answered => "answered",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Malformed => "malformed",
            Self::NoConnection => "no-connection",
            Self::NotServing => "not-serving",
            Self::Serving => "serving",
        }
    }

    /// Returns whether this, as an expectation, is met by what was seen.
    pub fn is_met_by(self, seen: Self) -> bool {
        if self == Self::Answered {
            return matches!(seen, Self::Allowed | Self::Blocked | Self::Failed);
        }
        self == seen
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
