//! Commands to a runner of GitHub Actions, which it reads from every line of a step's output.
//!
//! A line is a command wherever it comes from, also after spaces: an agent whose log is quoted could mask text or end the reading of commands.
//! So the runner reads none while a run writes its own output, and the harness's own come after that.

use std::collections::hash_map::RandomState;
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};

use super::terminal::say;
use super::untrusted::{bounded, harmless};

/// The longest text of a command, in characters.
const TEXT_LIMIT: usize = 2_000;

/// The runner reads no commands while this is held.
#[derive(Debug)]
pub struct Suspension {
    token: String,
}

impl Suspension {
    /// Makes the runner read no commands from here on.
    pub fn begin() -> Self {
        let token = token();
        // A reader that is gone reads no commands either.
        drop(say(format_args!("::stop-commands::{token}")));
        Self { token }
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        drop(say(format_args!("::{}::", self.token)));
    }
}

/// Returns what nothing under test can guess: the hashes of the standard library have keys from the system's random numbers.
fn token() -> String {
    let mut token = String::from("conformance-");
    for _ in 0..2 {
        let _ = write!(token, "{:016x}", RandomState::new().build_hasher().finish());
    }
    token
}

/// Makes text fit for the message of a command: a line end in it would begin a line, which may be a command.
pub(super) fn message(text: &str) -> String {
    harmless(&bounded(text, TEXT_LIMIT))
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Makes text fit for a property of a command, where commas and colons mean something too.
pub(super) fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_end_its_property_or_its_line() {
        assert_eq!(
            property("a,line=1::b\n::error::c%0A\r"),
            "a%2Cline=1%3A%3Ab%0A%3A%3Aerror%3A%3Ac%250A\\u{d}"
        );
        assert_eq!(message("a\n::error::b"), "a%0A::error::b");
    }

    #[test]
    fn tokens_differ() {
        assert_ne!(token(), token());
        assert_eq!(token().len(), "conformance-".len() + 32);
    }
}
