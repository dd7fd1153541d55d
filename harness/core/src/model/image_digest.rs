//! The digest of a container image, as registries, runtimes and the Kubernetes API write it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What every digest begins with.
const ALGORITHM: &str = "sha256:";
/// How many hexadecimal digits follow.
const DIGITS: usize = 64;

/// `sha256:` and 64 lower-case hexadecimal digits.
#[derive(
    Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

/// Why a text is no digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is no digest: write `sha256:` and {DIGITS} lower-case hexadecimal digits")]
pub struct InvalidDigest {
    /// The text.
    pub text: String,
}

impl ImageDigest {
    /// Returns the digest at the end of an image's name or of an `imageID`: after the last `@`, after a runtime's `docker://`, or all of it.
    pub fn at_end_of(text: &str) -> Option<Self> {
        let start = text.rfind(ALGORITHM)?;
        text[start..].parse().ok()
    }

    /// Returns a digest that no image has.
    pub fn of_no_image() -> Self {
        Self(format!("{ALGORITHM}{}", "0".repeat(DIGITS)))
    }

    /// Returns the digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ImageDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_valid = text
            .strip_prefix(ALGORITHM)
            .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(is_digit));
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest { text: text.into() })
        }
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ImageDigest> for String {
    fn from(digest: ImageDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn digits() -> String {
        "0f".repeat(32)
    }

    #[rstest]
    #[case::bare("sha256:{}")]
    #[case::of_a_registry("docker.io/library/a@sha256:{}")]
    #[case::of_a_registry_with_a_port("localhost:5000/a:1@sha256:{}")]
    #[case::of_docker("docker://sha256:{}")]
    #[case::of_docker_with_a_registry("docker-pullable://a/b@sha256:{}")]
    fn an_image_id_of_any_runtime_has_its_digest_at_the_end(#[case] form: &str) {
        let found = ImageDigest::at_end_of(&form.replace("{}", &digits()));
        assert_eq!(
            found.map(String::from),
            Some(format!("sha256:{}", digits()))
        );
    }

    #[rstest]
    #[case("")]
    #[case("a/b:latest")]
    #[case("sha256:0f")]
    #[case("a@sha512:0f")]
    fn a_text_without_a_digest_has_none(#[case] text: &str) {
        assert_eq!(ImageDigest::at_end_of(text), None);
    }

    #[test]
    fn upper_case_digits_are_refused() {
        let text = format!("sha256:{}", digits().to_uppercase());
        let error = text.parse::<ImageDigest>().expect_err("refused");
        assert!(error.to_string().contains("lower-case"), "{error}");
    }
}
