//! Seeds: bare attack and benign values with the positions at which they apply, from which requests are expanded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::payload::PayloadClass;
use super::seed_position::{Encoding, SeedPosition};

/// The longest value of a seed, in bytes: every expansion of it fits the 8 KiB of body that the proxy shows the agent.
pub const VALUE_LIMIT_BYTES: usize = 1024;

/// One file below `fixtures/payloads/seeds/`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeedFile {
    /// What the seeds of the file are.
    pub class: Located<PayloadClass>,
    /// Where the seeds come from.
    pub source: String,
    /// The licence of the seeds.
    pub licence: String,
    /// The seeds.
    pub seeds: Vec<SeedEntry>,
}

/// One seed as a file writes it. Exactly one of `value` and `value-base64` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeedEntry {
    /// A name that is unique among the seeds of all files: lower-case letters, digits, hyphens.
    pub name: Located<String>,
    /// What the seed catches, in one sentence.
    pub why: Located<String>,
    /// The value as the application must receive it.
    #[serde(default)]
    pub value: Option<Located<String>>,
    /// The value in base64, where it is not text.
    #[serde(default)]
    pub value_base64: Option<Located<String>>,
    /// Where the value applies.
    pub positions: Located<Vec<Located<SeedPosition>>>,
    /// How the value is written; when not given, in every way that its positions have.
    #[serde(default)]
    pub encodings: Option<Vec<Located<Encoding>>>,
    /// The nearest value that must pass at the same positions; mandatory for an attack.
    #[serde(default)]
    pub twin: Option<Located<String>>,
    /// The nearest value that must pass, in base64.
    #[serde(default)]
    pub twin_base64: Option<Located<String>>,
}

/// One checked seed.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The name, and where it is written.
    pub name: Located<String>,
    /// What the value is.
    pub class: PayloadClass,
    /// What the seed catches.
    pub why: String,
    /// The value as the application must receive it.
    pub value: Vec<u8>,
    /// The nearest value that must pass; none for a benign seed.
    pub twin: Option<Vec<u8>>,
    /// Where the value applies.
    pub positions: Vec<SeedPosition>,
    /// How the value may be written; every way when there is no list.
    pub encodings: Option<Vec<Encoding>>,
}

impl Seed {
    /// Returns the encodings in which both the value and its twin can stand at a position.
    pub fn encodings_at(&self, position: SeedPosition) -> Vec<Encoding> {
        let is_wanted = |encoding: Encoding| {
            self.encodings
                .as_ref()
                .is_none_or(|listed| listed.contains(&encoding))
        };
        let is_carried = |encoding: Encoding| {
            position.carries(encoding, &self.value)
                && self
                    .twin
                    .as_ref()
                    .is_none_or(|twin| position.carries(encoding, twin))
        };
        position
            .encodings()
            .iter()
            .copied()
            .filter(|encoding| is_wanted(*encoding) && is_carried(*encoding))
            .collect()
    }
}

/// Why a seed has no value.
#[derive(Debug, thiserror::Error)]
pub enum SeedValueError {
    /// The base64 text is broken.
    #[error("the value is not valid base64")]
    Base64(#[from] base64::DecodeError),
    /// Both forms are given.
    #[error("the value is written twice, as text and in base64")]
    BothForms,
    /// The value has no bytes.
    #[error("the value is empty")]
    Empty,
    /// The value is over the bound.
    #[error("the value has {length} bytes (the bound is {VALUE_LIMIT_BYTES})")]
    TooLong {
        /// What was written.
        length: usize,
    },
}

/// Returns the bytes that one of the two forms of a value stands for; none when neither is given.
pub(super) fn value_bytes(
    text: Option<&Located<String>>,
    base64: Option<&Located<String>>,
) -> Result<Option<Vec<u8>>, SeedValueError> {
    let bytes = match (text, base64) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(SeedValueError::BothForms),
        (Some(text), None) => text.value.clone().into_bytes(),
        (None, Some(base64)) => STANDARD.decode(&base64.value)?,
    };
    match bytes.len() {
        0 => Err(SeedValueError::Empty),
        length if length > VALUE_LIMIT_BYTES => Err(SeedValueError::TooLong { length }),
        _ => Ok(Some(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(value: &[u8], twin: &[u8], encodings: Option<Vec<Encoding>>) -> Seed {
        Seed {
            name: Located::unwritten("seed".into()),
            class: PayloadClass::Sqli,
            why: "It is a test.".into(),
            value: value.into(),
            twin: Some(twin.into()),
            positions: vec![SeedPosition::Header],
            encodings,
        }
    }

    #[test]
    fn a_value_and_its_twin_stand_in_the_same_encodings() {
        let both = seed(b"a", b"b", None);
        assert_eq!(
            both.encodings_at(SeedPosition::Header),
            [Encoding::Plain, Encoding::Percent]
        );
        let wide_twin = seed(b"a", "é".as_bytes(), None);
        assert_eq!(
            wide_twin.encodings_at(SeedPosition::Header),
            [Encoding::Percent]
        );
    }

    #[test]
    fn listed_encodings_narrow_those_of_the_position() {
        let narrowed = seed(
            b"a",
            b"b",
            Some(vec![Encoding::Plain, Encoding::HtmlEntity]),
        );
        assert_eq!(
            narrowed.encodings_at(SeedPosition::Header),
            [Encoding::Plain]
        );
    }
}
