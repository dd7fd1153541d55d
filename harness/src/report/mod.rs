//! One run record, and everything that is made of it: console, JSON, JUnit, evidence folders.

use std::error::Error;

pub mod console;
pub mod evidence;
pub mod files;
pub mod junit;
pub mod record;
pub mod redaction;
pub mod schema;

/// Returns an error and its causes, outermost first, each as one text.
pub fn chain(error: &dyn Error) -> Vec<String> {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes
}
