//! The texts in a GraphQL document: its quoted strings and block strings.

use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::json::read_string;
use crate::inspect::signal::Location;

/// Inspects every string of the document.
pub(crate) fn inspect(document: &str, location: Location, fields: &mut Fields) {
    fields.inspect(
        location,
        "query",
        document,
        Checks::Expressions,
        Spaces::AsWritten,
    );
    let mut rest = document;
    for _ in 0..STRING_LIMIT {
        let Some(at) = rest.find(['"', '#']) else {
            return;
        };
        let found = &rest[at..];
        if found.starts_with('#') {
            rest = found.split_once('\n').map_or("", |(_, next)| next);
        } else if let Some(block) = found.strip_prefix("\"\"\"") {
            let (text, next) = block.split_once("\"\"\"").unwrap_or((block, ""));
            inspect_string(location, text, fields);
            rest = next;
        } else {
            let (text, next) = read_string(&found[1..]);
            inspect_string(location, &text, fields);
            rest = next;
        }
    }
}

/// Says whether a text is a GraphQL document.
pub(crate) fn is_document(text: &str) -> bool {
    let start =
        text.trim_start_matches(|character: char| character.is_whitespace() || character == ',');
    start.starts_with(['{', '#'])
        || ["query", "mutation", "subscription", "fragment"]
            .iter()
            .any(|keyword| {
                start.strip_prefix(keyword).is_some_and(|rest| {
                    rest.starts_with([' ', '{', '(', '\n', '\t', '\r']) && rest.contains('{')
                })
            })
}

fn inspect_string(location: Location, text: &str, fields: &mut Fields) {
    fields.inspect(location, "query", text, Checks::All, Spaces::AsWritten);
}

const STRING_LIMIT: usize = 20_000;
