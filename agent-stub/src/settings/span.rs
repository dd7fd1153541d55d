//! Spans of time as the agent's settings write them: `250`, `10s`, `1m30s`.
//!
//! A bare number is milliseconds. That is the vendor's documented rule and a known trap: `10` is ten milliseconds.

use std::time::Duration;

/// Why a text is not a span of time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseSpanError {
    /// Nothing was written.
    #[error("an empty text is not a duration")]
    Empty,
    /// A number was expected.
    #[error("`{text}` is not a duration; write a number and one of the units ns us ms s m h")]
    Malformed {
        /// What was written.
        text: String,
    },
    /// The unit is not known.
    #[error("`{text}` has the unknown unit `{unit}`; the units are ns us ms s m h")]
    UnknownUnit {
        /// What was written.
        text: String,
        /// The unit that is not known.
        unit: String,
    },
    /// The span does not fit.
    #[error("`{text}` is longer than a year")]
    TooLong {
        /// What was written.
        text: String,
    },
}

/// Reads a span of time; a bare number is milliseconds.
///
/// # Errors
///
/// The text is empty, has an unknown unit, is not a number, is negative, or is longer than a year.
pub fn parse_span(text: &str) -> Result<Duration, ParseSpanError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(ParseSpanError::Empty);
    }
    let mut total_seconds = 0.0_f64;
    let mut rest = trimmed;
    while !rest.is_empty() {
        let number_length = rest
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_length);
        let unit_length = after
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_length);
        let amount: f64 = number
            .parse()
            .map_err(|_| ParseSpanError::Malformed { text: text.into() })?;
        let is_whole_text = rest.len() == trimmed.len() && next.is_empty();
        total_seconds += amount * seconds_per(unit, text, is_whole_text)?;
        rest = next;
    }
    if total_seconds > LONGEST_SECONDS {
        return Err(ParseSpanError::TooLong { text: text.into() });
    }
    Ok(Duration::from_secs_f64(total_seconds))
}

const LONGEST_SECONDS: f64 = 365.0 * 24.0 * 3600.0;

fn seconds_per(unit: &str, text: &str, may_be_bare: bool) -> Result<f64, ParseSpanError> {
    match unit.trim() {
        "" if may_be_bare => Ok(1e-3),
        "" => Err(ParseSpanError::Malformed { text: text.into() }),
        "ns" => Ok(1e-9),
        "us" | "µs" => Ok(1e-6),
        "ms" => Ok(1e-3),
        "s" => Ok(1.0),
        "m" => Ok(60.0),
        "h" => Ok(3600.0),
        unknown => Err(ParseSpanError::UnknownUnit {
            text: text.into(),
            unit: unknown.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10", Duration::from_millis(10))]
    #[case("0", Duration::ZERO)]
    #[case("10s", Duration::from_secs(10))]
    #[case("250ms", Duration::from_millis(250))]
    #[case("1m30s", Duration::from_secs(90))]
    #[case("1.5s", Duration::from_millis(1500))]
    #[case("2h", Duration::from_hours(2))]
    #[case("7us", Duration::from_micros(7))]
    #[case("9ns", Duration::from_nanos(9))]
    fn a_written_span_is_read(#[case] text: &str, #[case] expected: Duration) {
        assert_eq!(parse_span(text), Ok(expected));
    }

    #[rstest]
    #[case("")]
    #[case("soon")]
    #[case("10 days")]
    #[case("-5s")]
    #[case("1..5s")]
    #[case("1m30")]
    #[case("NaN")]
    #[case("99999999h")]
    fn a_text_that_is_no_span_is_refused(#[case] text: &str) {
        assert!(parse_span(text).is_err(), "{text}");
    }
}
