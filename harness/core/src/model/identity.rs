//! The names that join everything: run ids, pod names and request ids.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The header that carries a request's id from the client to every witness.
pub const REQUEST_ID_HEADER: &str = "x-conformance-id";

/// Names one run: ten characters, sortable by start time, unique per machine and second fraction.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Makes the id of a run that starts now.
    pub fn generate(now: Timestamp, process_id: u32) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let millis = now.as_millisecond().unsigned_abs();
        let mut number = (millis << 12) ^ u64::from(process_id & 0xfff);
        let mut characters = [0_u8; 10];
        for character in characters.iter_mut().rev() {
            *character = ALPHABET[usize::try_from(number & 31).unwrap_or_default()];
            number >>= 5;
        }
        Self(String::from_utf8_lossy(&characters).into_owned())
    }

    /// Returns the id under which what is checked before a run's first pod keeps its files.
    #[must_use]
    pub fn of_checks(&self) -> Self {
        Self(format!("{self}checks"))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = !text.is_empty()
            && text.len() <= 32
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(format!("`{text}` is not a run id"))
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names one pod of a run; also the name of its folder in the run's output.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PodName {
    /// The run that created the pod.
    pub run: RunId,
    /// What the pod is for: letters, digits and hyphens.
    pub purpose: String,
}

impl fmt::Display for PodName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.purpose, self.run)
    }
}

/// The id that one request carries in [`REQUEST_ID_HEADER`]: `<scenario>.<case>.<n>.<run>`.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Composes an id. The scenario's `::` becomes `:` so that the id is one readable token.
    pub fn new(scenario: &str, case: &str, number: u32, run: &RunId) -> Self {
        Self(format!(
            "{}.{case}.{number}.{run}",
            scenario.replace("::", ":")
        ))
    }

    /// Wraps an id as a witness reported it.
    pub fn from_witness(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_start_time() {
        let early = RunId::generate(
            Timestamp::from_millisecond(1_790_000_000_000).expect("valid"),
            1,
        );
        let late = RunId::generate(
            Timestamp::from_millisecond(1_790_000_000_001).expect("valid"),
            1,
        );
        assert!(early < late, "{early} {late}");
    }

    #[test]
    fn request_ids_name_scenario_case_number_and_run() {
        let run: RunId = "abc123".parse().expect("valid");
        assert_eq!(
            RequestId::new("decisions::blocks-sqli", "union", 3, &run).as_str(),
            "decisions:blocks-sqli.union.3.abc123"
        );
    }
}
