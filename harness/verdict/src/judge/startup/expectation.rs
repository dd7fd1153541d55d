//! What must become of the attacks of a start-up.

use schemars::JsonSchema;
use serde::Deserialize;

use harness_core::model::located::Located;

/// What must become of the attacks.
#[derive(Clone, Copy, Debug)]
pub struct AttackExpectation<'a> {
    /// The case that the attacks belong to.
    pub case: &'a str,
    /// Where they are sent.
    pub through: Entrance,
    /// Denials in a row that end the stream.
    pub until_denied: Located<u32>,
    /// Whether they may reach the application.
    pub leaks: Located<LeakExpectation>,
}

/// Where requests enter the pod.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// The proxy's own port, ready or not: what a client sees that does not come through the Service.
    Proxy,
    /// The pod's Service, which has the pod once it is ready.
    #[default]
    Service,
}

/// Whether attacks reach the application before the rules apply.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum LeakExpectation {
    /// None may.
    None,
    /// At least one must: the control that shows that the meter can see.
    Some,
}

/// Whether the agent was seen to deny attacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enforcement {
    /// It was not, within the time that it had.
    NotSeen,
    /// So many in a row as were wanted.
    Seen,
}
