//! A number of bytes as scenario files write it: `512KiB`, `32MiB`, `1GiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// The units, largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A number of bytes, written with a binary unit (`32MiB`).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Wraps a number of bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Returns by how much this is more than another; nothing where it is less.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((unit, size)) = UNITS.into_iter().find(|(_, size)| self.0 >= *size) else {
            return write!(formatter, "{} bytes", self.0);
        };
        let (whole, tenths) = (self.0 / size, self.0 % size * 10 / size);
        match tenths {
            0 => write!(formatter, "{whole} {unit}"),
            tenths => write!(formatter, "{whole}.{tenths} {unit}"),
        }
    }
}

/// A text is not a number of bytes.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is not a number of bytes; write a whole number with its unit, as in `512KiB` or `32MiB`"
)]
pub struct ParseByteSizeError {
    /// What was written.
    pub text: String,
}

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        UNITS
            .into_iter()
            .find_map(|(unit, size)| {
                let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
                number.checked_mul(size)
            })
            .map(Self)
            .ok_or_else(|| ParseByteSizeError { text: text.into() })
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number of bytes with its unit: 512KiB, 32MiB, 1GiB",
            "pattern": r"^[0-9]+\s*(KiB|MiB|GiB)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("512KiB", 524_288, "512 KiB")]
    #[case("32 MiB", 33_554_432, "32 MiB")]
    #[case("1GiB", 1_073_741_824, "1 GiB")]
    fn a_number_with_its_unit_is_read(#[case] text: &str, #[case] bytes: u64, #[case] shown: &str) {
        let size: ByteSize = text.parse().expect("a valid size");
        assert_eq!(size.bytes(), bytes);
        assert_eq!(size.to_string(), shown);
    }

    #[rstest]
    #[case::no_unit("32")]
    #[case::decimal_unit("32MB")]
    #[case::fraction("1.5MiB")]
    #[case::negative("-1MiB")]
    #[case::too_large("18446744073709551615GiB")]
    fn what_is_no_number_of_bytes_is_refused(#[case] text: &str) {
        let error = text.parse::<ByteSize>().expect_err("not a size");
        assert!(error.to_string().contains(text), "{error}");
    }

    #[rstest]
    #[case(1_023, "1023 bytes")]
    #[case(1_572_864, "1.5 MiB")]
    fn a_size_is_shown_in_its_largest_unit(#[case] bytes: u64, #[case] shown: &str) {
        assert_eq!(ByteSize::new(bytes).to_string(), shown);
    }
}
