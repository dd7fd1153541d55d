//! The closed set of outcomes that one request can have.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of one request, as its witnesses agree.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The agent was asked, raised nothing and let the request through; the application answered.
    Allowed,
    /// The agent was asked, raised signals and let the request through all the same.
    AllowedAndTagged,
    /// The agent was asked and denied; the application was never reached.
    BlockedByAgent,
    /// The proxy answered by itself, for a reason that is not the agent.
    RejectedByProxy,
    /// The agent could not be asked and the proxy let the request through.
    FailedOpen,
    /// The agent could not be asked and the proxy denied.
    FailedClosed,
    /// The request reached the application without the agent being asked.
    NotInspected,
    /// The client got no usable answer.
    Lost,
    /// Witnesses contradict each other or a mandatory one is missing. Never a pass.
    Ambiguous,
}

impl Outcome {
    /// Every outcome, in report order.
    pub const ALL: [Self; 9] = [
        Self::Allowed,
        Self::AllowedAndTagged,
        Self::BlockedByAgent,
        Self::RejectedByProxy,
        Self::FailedOpen,
        Self::FailedClosed,
        Self::NotInspected,
        Self::Lost,
        Self::Ambiguous,
    ];

    /// Returns the name as files and reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::AllowedAndTagged => "allowed-and-tagged",
            Self::BlockedByAgent => "blocked-by-agent",
            Self::RejectedByProxy => "rejected-by-proxy",
            Self::FailedOpen => "failed-open",
            Self::FailedClosed => "failed-closed",
            Self::NotInspected => "not-inspected",
            Self::Lost => "lost",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// Returns whether the application saw the request.
    pub const fn reached_application(self) -> bool {
        match self {
            Self::Allowed | Self::AllowedAndTagged | Self::FailedOpen | Self::NotInspected => true,
            Self::BlockedByAgent
            | Self::RejectedByProxy
            | Self::FailedClosed
            | Self::Lost
            | Self::Ambiguous => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
