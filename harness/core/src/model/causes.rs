//! An error with what caused it, for the places where errors are shown.

use std::error::Error;

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
