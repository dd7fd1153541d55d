//! A span of time as scenario files write it: `200ms`, `2s`, `1m 30s`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A non-negative span of time, written with a unit (`200ms`, `2s`, `1m 30s`).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct TimeSpan(Duration);

impl TimeSpan {
    /// Wraps a duration.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// Returns the span as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl From<Duration> for TimeSpan {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(duration) => write!(formatter, "{duration:#}"),
            Err(_) => write!(formatter, "{:?}", self.0),
        }
    }
}

/// Why a text is not a span of time.
#[derive(Debug, thiserror::Error)]
pub enum ParseTimeSpanError {
    /// The text has no unit or is not a duration at all.
    #[error("`{text}` is not a duration; write a number with its unit, as in `200ms` or `2s`")]
    Malformed {
        /// What was written.
        text: String,
        /// What the parser said.
        #[source]
        source: jiff::Error,
    },
    /// The span is below zero.
    #[error("`{text}` is negative")]
    Negative {
        /// What was written.
        text: String,
    },
}

impl FromStr for TimeSpan {
    type Err = ParseTimeSpanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let signed: SignedDuration =
            text.parse()
                .map_err(|source| ParseTimeSpanError::Malformed {
                    text: text.into(),
                    source,
                })?;
        Duration::try_from(signed)
            .map(Self)
            .map_err(|_| ParseTimeSpanError::Negative { text: text.into() })
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time with its unit: 200ms, 2s, 1m 30s",
            "pattern": r"^[0-9]+(\.[0-9]+)?\s*[a-zµ]+(\s+[0-9]+(\.[0-9]+)?\s*[a-zµ]+)*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_spans_read_back() {
        for text in ["200ms", "2s", "1m 30s", "0s"] {
            let span: TimeSpan = text.parse().expect("a valid span");
            assert_eq!(
                span.to_string().parse::<TimeSpan>().expect("round trip"),
                span
            );
        }
    }

    #[test]
    fn a_number_without_unit_is_refused() {
        let error = "200".parse::<TimeSpan>().expect_err("no unit");
        assert!(error.to_string().contains("`200ms`"), "{error}");
    }
}
