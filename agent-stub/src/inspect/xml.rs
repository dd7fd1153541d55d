//! The texts and attributes of an XML document, found without building a tree.
//!
//! A scanner that takes what is there: documents arrive cut short, and hostile ones are not well-formed.

use crate::inspect::characters::Characters;
use crate::inspect::entity::{Entities, resolve};
use crate::inspect::field::{Checks, Fields, Spaces};
use crate::inspect::signal::{Location, SignalKind};
use crate::inspect::xxe;

/// Inspects the document itself and every text and attribute in it.
pub(crate) fn inspect(document: &str, fields: &mut Fields) {
    if let Some(detector) = xxe::detect(document, Characters::of(document)) {
        fields.note(SignalKind::Xxe, Location::Xml, "", document, &detector);
    }
    let mut element = "";
    let mut rest = document;
    for _ in 0..ITEM_LIMIT {
        let Some(open) = rest.find('<') else {
            break;
        };
        inspect_value(element, &rest[..open], fields);
        let tag = &rest[open + 1..];
        rest = if let Some(comment) = tag.strip_prefix("!--") {
            after(comment, "-->")
        } else if let Some(data) = tag.strip_prefix("![CDATA[") {
            let end = data.find("]]>").unwrap_or(data.len());
            inspect_written(element, &data[..end], fields);
            after(data, "]]>")
        } else if let Some(instruction) = tag.strip_prefix('?') {
            after(instruction, "?>")
        } else if let Some(declaration) = tag.strip_prefix('!') {
            after_declaration(declaration)
        } else if tag.starts_with(|first: char| first == '/' || is_name_start(first)) {
            let (name, after) = inspect_tag(tag, fields);
            element = name;
            after
        } else {
            tag
        };
    }
    inspect_value(element, rest, fields);
}

// Returns the element's name and what follows the tag.
fn inspect_tag<'text>(tag: &'text str, fields: &mut Fields) -> (&'text str, &'text str) {
    let name_end = tag
        .find(|character: char| character.is_whitespace() || matches!(character, '>' | '/'))
        .unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at(name_end);
    loop {
        rest = rest
            .trim_start_matches(|character: char| character.is_whitespace() || character == '/');
        let Some(end) = rest.find(['=', '>']) else {
            return (name, "");
        };
        if rest[end..].starts_with('>') {
            return (name, &rest[end + 1..]);
        }
        let attribute = rest[..end].trim();
        let value = rest[end + 1..].trim_start();
        let Some(quote) = value
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''))
        else {
            rest = value;
            continue;
        };
        let value = &value[1..];
        let length = value.find(quote).unwrap_or(value.len());
        inspect_value(attribute, &value[..length], fields);
        rest = value.get(length + 1..).unwrap_or_default();
    }
}

fn inspect_value(name: &str, written: &str, fields: &mut Fields) {
    match resolve(written, Entities::All) {
        Some(resolved) => inspect_written(name, &resolved, fields),
        None => inspect_written(name, written, fields),
    }
}

fn inspect_written(name: &str, text: &str, fields: &mut Fields) {
    let text = text.trim();
    if !text.is_empty() {
        fields.inspect(Location::Xml, name, text, Checks::All, Spaces::AsWritten);
    }
}

// A document type may hold declarations of its own, between brackets.
fn after_declaration(declaration: &str) -> &str {
    match declaration.find(['[', '>']) {
        Some(at) if declaration[at..].starts_with('[') => {
            let inner = &declaration[at..];
            match inner.find(']') {
                Some(end) => after(&inner[end..], ">"),
                None => "",
            }
        }
        Some(at) => &declaration[at + 1..],
        None => "",
    }
}

fn after<'text>(text: &'text str, end: &str) -> &'text str {
    text.find(end)
        .map(|at| &text[at + end.len()..])
        .unwrap_or_default()
}

fn is_name_start(first: char) -> bool {
    first.is_alphabetic() || first == '_'
}

const ITEM_LIMIT: usize = 20_000;
