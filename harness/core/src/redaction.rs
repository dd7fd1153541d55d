//! Keeps the agent's keys out of everything that a run leaves behind.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::stack::keys::{AgentKeys, SHORTEST_KEY_BYTES};

/// What stands in a secret's place.
const REPLACEMENT: &[u8] = b"[redacted]";

/// Knows the secrets of a run in the forms in which they could show.
#[derive(Clone)]
pub struct Redactor {
    forms: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Knows these keys: as they are, percent-encoded, quoted in JSON and markup, in hex and in base64 at any offset.
    pub fn new(keys: &AgentKeys) -> Self {
        let mut forms = Vec::new();
        let successor = &keys.successor;
        for secret in [
            keys.access_key.reveal(),
            keys.secret_key.reveal(),
            successor.access_key.reveal(),
            successor.secret_key.reveal(),
        ] {
            let bytes = secret.as_bytes();
            forms.push(bytes.to_vec());
            for plain in [Plain::Alphanumeric, Plain::Unreserved] {
                forms.push(
                    percent_encoded(bytes, plain, |byte| hex::encode_upper([byte])).into_bytes(),
                );
                forms.push(percent_encoded(bytes, plain, |byte| hex::encode([byte])).into_bytes());
            }
            forms.extend(quoted(secret));
            forms.push(hex::encode(bytes).into_bytes());
            forms.push(hex::encode_upper(bytes).into_bytes());
            for offset in 0..3 {
                forms.extend(base64_inside(&STANDARD_NO_PAD, bytes, offset));
                forms.extend(base64_inside(&URL_SAFE_NO_PAD, bytes, offset));
            }
        }
        // Of a private key in PEM any whole line is enough to be a secret.
        let private_key = keys.certificates.key.reveal();
        forms.extend(
            private_key
                .lines()
                .filter(|line| !line.starts_with("-----"))
                .map(|line| line.as_bytes().to_vec()),
        );
        // The parts of base64 that do not depend on the neighbours can be short: they would redact innocent text.
        forms.retain(|form| form.len() >= SHORTEST_KEY_BYTES);
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { forms }
    }

    /// Returns whether one of the secrets stands in `text`.
    pub fn finds_secret(&self, text: &[u8]) -> bool {
        self.forms.iter().any(|form| find(text, form).is_some())
    }

    /// Replaces every secret.
    pub fn redact(&self, text: &[u8]) -> Vec<u8> {
        self.forms
            .iter()
            .fold(text.to_vec(), |text, form| replace(text, form))
    }
}

/// Which bytes a percent-encoding leaves as they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Plain {
    Alphanumeric,
    /// RFC 3986, section 2.3.
    Unreserved,
}

impl Plain {
    const fn has(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || match self {
                Self::Alphanumeric => false,
                Self::Unreserved => matches!(byte, b'-' | b'.' | b'_' | b'~'),
            }
    }
}

/// Returns a secret as it stands inside a JSON text, in Rust's own quotes, and in markup.
fn quoted(secret: &str) -> [Vec<u8>; 4] {
    let json = serde_json::Value::from(secret).to_string();
    let markup = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let attribute = markup.replace('"', "&quot;");
    [
        json.strip_prefix('"')
            .and_then(|json| json.strip_suffix('"'))
            .unwrap_or_default()
            .as_bytes()
            .to_vec(),
        secret.escape_debug().to_string().into_bytes(),
        markup.into_bytes(),
        attribute.into_bytes(),
    ]
}

fn percent_encoded(bytes: &[u8], plain: Plain, digits: fn(u8) -> String) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if plain.has(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push_str(&digits(*byte));
        }
        text
    })
}

/// Returns the part of the base64 form that does not depend on what stands before and after.
fn base64_inside(engine: &GeneralPurpose, bytes: &[u8], offset: usize) -> Option<Vec<u8>> {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(bytes);
    let encoded = engine.encode(&padded).into_bytes();
    let start = (offset * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    encoded.get(start..end).map(<[u8]>::to_vec)
}

/// Replaces a form wherever it stands, in one pass: an agent may write it as often as it likes.
fn replace(text: Vec<u8>, form: &[u8]) -> Vec<u8> {
    let Some(mut next) = find(&text, form) else {
        return text;
    };
    let mut clean = Vec::with_capacity(text.len());
    let mut rest = &text[..];
    loop {
        clean.extend_from_slice(&rest[..next]);
        clean.extend_from_slice(REPLACEMENT);
        rest = &rest[next + form.len()..];
        match find(rest, form) {
            Some(following) => next = following,
            None => break,
        }
    }
    clean.extend_from_slice(rest);
    clean
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use rstest::rstest;

    use super::*;
    use crate::stack::certificates::Certificates;
    use crate::stack::keys::KeyPair;
    use crate::stack::secret::SecretText;

    const SECRET: &str = "abcdefg_hijklmn_opqrstuvwxy_z0123456789ABCD";
    const SUCCESSOR: &str = "DCBA9876543210z_yxwvutsrqpo_nmlkjih_gfedcba";

    fn redactor() -> Redactor {
        Redactor::new(&AgentKeys {
            access_key: SecretText::new("12345678-abcd-1234-abcd-1234567890ab"),
            secret_key: SecretText::new(SECRET),
            successor: KeyPair {
                access_key: SecretText::new("87654321-dcba-4321-dcba-ba0987654321"),
                secret_key: SecretText::new(SUCCESSOR),
            },
            certificates: Certificates::invent().expect("certificates"),
        })
    }

    #[rstest]
    #[case::plain(format!("key={SECRET}!"))]
    #[case::of_the_next_pair(format!("key={SUCCESSOR}!"))]
    #[case::percent(format!("?k={}", percent_encoded(SECRET.as_bytes(), Plain::Alphanumeric, |byte| hex::encode([byte]))))]
    #[case::hex(hex::encode(SECRET))]
    #[case::hex_in_capitals(hex::encode_upper(SECRET))]
    #[case::url_safe(URL_SAFE_NO_PAD.encode(SECRET))]
    #[case::base64(STANDARD.encode(SECRET))]
    #[case::base64_after_one(STANDARD.encode(format!("x{SECRET}y")))]
    #[case::base64_after_two(STANDARD.encode(format!("xx{SECRET}yy")))]
    fn every_form_of_a_secret_is_found_and_replaced(#[case] text: String) {
        let redactor = redactor();
        assert!(redactor.finds_secret(text.as_bytes()), "{text}");
        let clean = redactor.redact(text.as_bytes());
        assert!(!redactor.finds_secret(&clean));
        assert!(
            String::from_utf8_lossy(&clean).contains("[redacted]"),
            "{text}"
        );
    }

    #[test]
    fn a_private_key_is_found_and_replaced_line_by_line() {
        let keys = AgentKeys::invent().expect("keys");
        let redactor = Redactor::new(&keys);
        let line = keys
            .certificates
            .key
            .reveal()
            .lines()
            .nth(1)
            .expect("a line");
        let text = format!("read {line} from the disk");
        assert!(redactor.finds_secret(text.as_bytes()));
        assert_eq!(
            redactor.redact(text.as_bytes()),
            b"read [redacted] from the disk"
        );
        assert!(!redactor.finds_secret(keys.certificates.certificate.as_bytes()));
    }

    #[test]
    fn innocent_text_is_left_alone() {
        let text = b"GET /12345678-abcd HTTP/1.1 abcdefg";
        assert_eq!(redactor().redact(text), text);
    }
}
