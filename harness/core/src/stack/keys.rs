//! What the agent proves itself with: its two keys, the user's own or invented ones, and a certificate. No report may ever show them.

use std::io::Read;

use super::certificates::{CertificateError, Certificates};
use super::secret::SecretText;

/// The environment variable of the harness that holds the agent's access key.
pub const ACCESS_KEY_VARIABLE: &str = "CONFORMANCE_ACCESSKEYID";
/// The environment variable of the harness that holds the agent's secret key.
pub const SECRET_KEY_VARIABLE: &str = "CONFORMANCE_SECRETACCESSKEY";

/// The shortest key that is accepted.
pub const SHORTEST_KEY_BYTES: usize = 12;

/// A pair of keys.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// Identifies the site; shaped like a UUID.
    pub access_key: SecretText,
    /// Authenticates the agent; 44 characters.
    pub secret_key: SecretText,
}

/// The agent's credentials.
#[derive(Clone, Debug)]
pub struct AgentKeys {
    /// Identifies the site; shaped like a UUID.
    pub access_key: SecretText,
    /// Authenticates the agent; 44 characters.
    pub secret_key: SecretText,
    /// The pair that takes the first one's place where keys are rotated; always invented.
    pub successor: KeyPair,
    /// For a hop between proxy and agent that is secured by TLS.
    pub certificates: Certificates,
}

impl AgentKeys {
    /// Takes the keys from the harness's environment, or invents a pair where neither is set.
    ///
    /// # Errors
    ///
    /// When only one of the two is set, or no random bytes or certificates can be had.
    pub fn from_environment() -> Result<Self, KeysError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        match (variable(ACCESS_KEY_VARIABLE), variable(SECRET_KEY_VARIABLE)) {
            (Some(access), Some(secret)) => {
                for (name, key) in [
                    (ACCESS_KEY_VARIABLE, &access),
                    (SECRET_KEY_VARIABLE, &secret),
                ] {
                    if key.len() < SHORTEST_KEY_BYTES {
                        return Err(KeysError::TooShort { variable: name });
                    }
                }
                Ok(Self {
                    access_key: SecretText::new(access),
                    secret_key: SecretText::new(secret),
                    successor: KeyPair::invent()?,
                    certificates: Certificates::invent()?,
                })
            }
            (None, None) => Self::invent(),
            (Some(_), None) => Err(KeysError::HalfSet {
                missing: SECRET_KEY_VARIABLE,
            }),
            (None, Some(_)) => Err(KeysError::HalfSet {
                missing: ACCESS_KEY_VARIABLE,
            }),
        }
    }

    /// Makes random pairs in the shape that the vendor's guide shows.
    pub fn invent() -> Result<Self, KeysError> {
        let KeyPair {
            access_key,
            secret_key,
        } = KeyPair::invent()?;
        Ok(Self {
            access_key,
            secret_key,
            successor: KeyPair::invent()?,
            certificates: Certificates::invent()?,
        })
    }
}

impl KeyPair {
    fn invent() -> Result<Self, KeysError> {
        let mut random = [0_u8; 38];
        fs_err::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut random))
            .map_err(KeysError::Random)?;
        let (access, secret) = random.split_at(16);
        let access = hex::encode(access);
        Ok(Self {
            access_key: SecretText::new(format!(
                "{}-{}-{}-{}-{}",
                &access[..8],
                &access[8..12],
                &access[12..16],
                &access[16..20],
                &access[20..]
            )),
            secret_key: SecretText::new(hex::encode(secret)),
        })
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// No certificates can be made.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// Only one of the two variables is set.
    #[error("one of the agent's keys is given and `{missing}` is not set")]
    HalfSet {
        /// The variable that is not set.
        missing: &'static str,
    },
    /// A key is too short to be distinguished from innocent text, and could not be kept out of reports.
    #[error("the key in `{variable}` is shorter than {SHORTEST_KEY_BYTES} characters")]
    TooShort {
        /// The variable.
        variable: &'static str,
    },
    /// The system has no random bytes.
    #[error("cannot read random bytes")]
    Random(#[source] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_keys_have_the_guides_shape_and_differ_each_time() {
        let first = AgentKeys::invent().expect("random bytes");
        let second = AgentKeys::invent().expect("random bytes");
        let access = first.access_key.reveal();
        assert_eq!(
            access.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert_eq!(first.secret_key.reveal().len(), 44);
        assert_ne!(first.secret_key.reveal(), second.secret_key.reveal());
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let keys = AgentKeys::invent().expect("random bytes");
        let shown = format!("{keys:?}");
        assert!(!shown.contains(keys.secret_key.reveal()), "{shown}");
        assert!(!shown.contains(keys.access_key.reveal()), "{shown}");
    }
}
