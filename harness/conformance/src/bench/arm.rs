//! The arms of a benchmark: what stands between a client and the application.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An arm.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Envoy without the filter.
    Absent,
    /// Envoy with the filter, disabled for the route.
    Disabled,
    /// An agent that allows everything and reads nothing: the floor.
    Null,
    /// The baseline.
    A,
    /// The baseline again, in a process of its own: the noise of this run.
    AAgain,
    /// The candidate.
    B,
}

/// The first port of the listeners; each arm has the one of its position.
const FIRST_LISTENER: u16 = 8100;
/// The first port of the agents that are added to the pod.
const FIRST_AGENT: u16 = 9100;

impl Arm {
    /// Every arm, in the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Absent,
        Self::Disabled,
        Self::Null,
        Self::A,
        Self::AAgain,
        Self::B,
    ];

    /// Returns the name, of its container and its listener as well.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Disabled => "disabled",
            Self::Null => "null",
            Self::A => "a",
            Self::AAgain => "a-again",
            Self::B => "b",
        }
    }

    /// Returns the arm of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arm| arm.name() == name)
    }

    /// Says what it is.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Absent => "no filter",
            Self::Disabled => "filter disabled for the route",
            Self::Null => "null agent",
            Self::A => "agent A",
            Self::AAgain => "agent A again",
            Self::B => "agent B",
        }
    }

    /// Returns whether Envoy asks an agent.
    pub const fn asks(self) -> bool {
        match self {
            Self::Absent | Self::Disabled => false,
            Self::Null | Self::A | Self::AAgain | Self::B => true,
        }
    }

    /// Returns its position among the arms.
    pub const fn position(self) -> u8 {
        self as u8
    }

    /// Returns the port of its listener.
    pub fn listener_port(self) -> u16 {
        FIRST_LISTENER + u16::from(self.position())
    }

    /// Returns the port of its agent.
    pub fn agent_port(self) -> u16 {
        FIRST_AGENT + u16::from(self.position())
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}
