//! What had to be seen and what was seen, as data: a finding's two sides, which reports carry and prose is rendered from.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::byte_size::ByteSize;
use super::call_expectation::CallOutcome;
use super::outcome::Outcome;
use super::timespan::TimeSpan;

/// One side of a finding.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "type", content = "value", rename_all = "kebab-case")]
pub enum Datum {
    /// Any one of these is right.
    AnyOf(Vec<Self>),
    /// This much or more.
    AtLeast(Quantity),
    /// This much or less.
    AtMost(Quantity),
    /// A body, by its digest.
    Body(Body),
    /// What a call to the agent came to.
    CallOutcome(CallOutcome),
    /// A number that has a meaning of its own: an exit code, a gRPC status, a response code in the agent's data log.
    Code(i64),
    /// A number of things that have a name.
    Counted(Counted),
    /// One header field, once.
    HeaderOnce(HeaderField),
    /// Header fields, in the order in which they came.
    Headers(Vec<HeaderField>),
    /// A status of HTTP.
    HttpStatus(u16),
    /// Exactly these names: signals, locations, mount points.
    Names(BTreeSet<String>),
    /// No header field of this name; it may end in `*`.
    NoHeader(String),
    /// Nothing at all.
    Nothing,
    /// What a request came to.
    Outcome(Outcome),
    /// Exactly this much.
    Quantity(Quantity),
    /// What has no type of its own, in a few words.
    Text(String),
}

/// How much of something.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(tag = "unit", content = "amount", rename_all = "kebab-case")]
pub enum Quantity {
    /// A size.
    Bytes(u64),
    /// A number of things.
    Count(u64),
    /// A time.
    Microseconds(u64),
    /// A share.
    Percent(u64),
}

/// A number of things that have a name.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// What: the name of one, or of several, as the count has it.
    pub of: String,
}

/// A header field.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeaderField {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A body, which is too long to be shown.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Body {
    /// Its length in bytes, where it is known.
    pub length: Option<u64>,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

impl Datum {
    /// Makes the datum that any one of several is right; of one alone, that one.
    pub fn any_of<T: Into<Self>>(choices: impl IntoIterator<Item = T>) -> Self {
        let mut choices: Vec<Self> = choices.into_iter().map(Into::into).collect();
        match choices.len() {
            0 => Self::Nothing,
            1 => choices.remove(0),
            _ => Self::AnyOf(choices),
        }
    }

    /// Makes the datum of exactly these names.
    pub fn names<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::Names(names.into_iter().map(Into::into).collect())
    }

    /// Makes the datum of a number of things, by the name of one of them and of several.
    pub fn counted(count: usize, [one, several]: [&str; 2]) -> Self {
        Self::Counted(Counted {
            count: u64::try_from(count).unwrap_or(u64::MAX),
            of: if count == 1 { one } else { several }.into(),
        })
    }

    /// Makes the datum of a code that has a meaning of its own.
    pub fn code(code: impl Into<i64>) -> Self {
        Self::Code(code.into())
    }

    /// Returns it with every text in it changed, as by a redactor.
    #[must_use]
    pub fn map_texts(self, change: &impl Fn(&str) -> String) -> Self {
        let field = |field: HeaderField| HeaderField {
            name: change(&field.name),
            value: change(&field.value),
        };
        match self {
            Self::AnyOf(choices) => Self::AnyOf(
                choices
                    .into_iter()
                    .map(|choice| choice.map_texts(change))
                    .collect(),
            ),
            Self::HeaderOnce(header) => Self::HeaderOnce(field(header)),
            Self::Headers(headers) => Self::Headers(headers.into_iter().map(field).collect()),
            Self::Names(names) => Self::names(names.iter().map(|name| change(name))),
            Self::NoHeader(name) => Self::NoHeader(change(&name)),
            Self::Text(text) => Self::Text(change(&text)),
            Self::AtLeast(_)
            | Self::AtMost(_)
            | Self::Body(_)
            | Self::CallOutcome(_)
            | Self::Code(_)
            | Self::Counted(_)
            | Self::HttpStatus(_)
            | Self::Nothing
            | Self::Outcome(_)
            | Self::Quantity(_) => self,
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOf(choices) => write_joined(formatter, choices, " or "),
            Self::AtLeast(quantity) => write!(formatter, "at least {quantity}"),
            Self::AtMost(quantity) => write!(formatter, "at most {quantity}"),
            Self::Body(body) => body.fmt(formatter),
            Self::CallOutcome(outcome) => formatter.write_str(outcome.as_str()),
            Self::Code(code) => code.fmt(formatter),
            Self::Counted(counted) => write!(formatter, "{} {}", counted.count, counted.of),
            Self::HeaderOnce(field) => write!(formatter, "{field}, once"),
            Self::Headers(fields) => write_joined(formatter, fields, "; "),
            Self::HttpStatus(status) => status.fmt(formatter),
            Self::Names(names) if names.is_empty() => formatter.write_str("none"),
            Self::Names(names) => write_joined(formatter, names, ", "),
            Self::NoHeader(name) => write!(formatter, "no header `{name}`"),
            Self::Nothing => formatter.write_str("none"),
            Self::Outcome(outcome) => outcome.fmt(formatter),
            Self::Quantity(quantity) => quantity.fmt(formatter),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

fn write_joined<T: fmt::Display>(
    formatter: &mut fmt::Formatter<'_>,
    parts: impl IntoIterator<Item = T>,
    between: &str,
) -> fmt::Result {
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            formatter.write_str(between)?;
        }
        write!(formatter, "{part}")?;
    }
    Ok(())
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Bytes(bytes) => write_exactly(formatter, bytes),
            Self::Count(count) => count.fmt(formatter),
            Self::Microseconds(microseconds) => {
                TimeSpan::new(Duration::from_micros(microseconds)).fmt(formatter)
            }
            Self::Percent(percent) => write!(formatter, "{percent} %"),
        }
    }
}

/// Writes a size in the largest unit that has it whole: a size that is just over a bound must not look like the bound.
fn write_exactly(formatter: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10)]
        .into_iter()
        .find(|(_, bits)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    match unit {
        Some((unit, bits)) => write!(formatter, "{} {unit}", bytes >> bits),
        None => write!(formatter, "{bytes} bytes"),
    }
}

impl fmt::Display for HeaderField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.value)
    }
}

impl fmt::Display for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(length) = self.length {
            write!(formatter, "{length} bytes, ")?;
        }
        write!(formatter, "SHA-256 {}", self.sha256)
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Outcome> for Datum {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<CallOutcome> for Datum {
    fn from(outcome: CallOutcome) -> Self {
        Self::CallOutcome(outcome)
    }
}

impl From<Quantity> for Datum {
    fn from(quantity: Quantity) -> Self {
        Self::Quantity(quantity)
    }
}

impl From<ByteSize> for Quantity {
    fn from(size: ByteSize) -> Self {
        Self::Bytes(size.bytes())
    }
}

impl From<Duration> for Quantity {
    fn from(duration: Duration) -> Self {
        Self::Microseconds(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<TimeSpan> for Quantity {
    fn from(span: TimeSpan) -> Self {
        span.as_duration().into()
    }
}

#[cfg(test)]
#[path = "datum_tests.rs"]
mod tests;
