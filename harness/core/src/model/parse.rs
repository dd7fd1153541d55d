//! Parses one YAML file into its type, and says where it cannot.

use std::sync::Arc;

use camino::Utf8Path;
use serde::de::DeserializeOwned;

use super::diagnostic::Diagnostic;
use super::located::Position;

/// Parses one file into its type; a complaint says where it cannot.
pub fn parse<T: DeserializeOwned>(
    file: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<T> {
    parse_by(|text| serde_saphyr::from_str(text), file, text, complaints)
}

/// Parses every document of one file; a complaint says where it cannot.
pub fn parse_documents<T: DeserializeOwned>(
    file: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<Vec<T>> {
    parse_by(
        |text| serde_saphyr::from_multiple(text),
        file,
        text,
        complaints,
    )
}

fn parse_by<T>(
    reader: impl FnOnce(&str) -> Result<T, serde_saphyr::Error>,
    file: &Utf8Path,
    text: &Arc<str>,
    complaints: &mut Vec<Diagnostic>,
) -> Option<T> {
    if let Some(position) = lone_carriage_return(text) {
        complaints.push(Diagnostic {
            file: file.into(),
            text: text.clone(),
            position,
            hint: Some("end lines with a line feed, or with a carriage return and a line feed".into()),
            label: String::new(),
            message: "a carriage return without a line feed: YAML takes it for a line end, and most editors do not".into(),
        });
        return None;
    }
    match reader(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let position = error.location().map(Position::from).unwrap_or_default();
            let whole = error.without_snippet().to_string();
            let message = in_plain_words(strip_location(&whole));
            complaints.push(Diagnostic {
                file: file.into(),
                text: text.clone(),
                position,
                hint: hint_for_parse_error(&message),
                label: String::new(),
                message,
            });
            None
        }
    }
}

/// Finds a carriage return that ends a line in YAML (YAML 1.2.2, section 5.4) and nowhere else: places behind it would be reported for another line.
fn lone_carriage_return(text: &str) -> Option<Position> {
    let (line, found) = text.split('\n').zip(1..).find_map(|(line, number)| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        Some((number, line.split_once('\r')?.0))
    })?;
    Some(Position {
        line,
        column: found.chars().count() as u64 + 1,
        length: 1,
    })
}

/// Cuts the parser's own ` at line L, column C` and `error: line L column C: ` away; the drawing shows the place.
fn strip_location(message: &str) -> &str {
    let message = message.split('\n').next().unwrap_or_default();
    let message = match message.find(" at line ") {
        Some(end) => &message[..end],
        None => message,
    };
    message.strip_prefix("error: ").unwrap_or(message)
}

/// Says what the parser says without the names of its own code.
fn in_plain_words(message: &str) -> String {
    if message.contains("DuplicateKeyPolicy") {
        let key = message
            .split('`')
            .nth(1)
            .or_else(|| message.split('"').nth(1));
        return match key {
            Some(key) => format!("the key `{key}` stands here twice"),
            None => "a key stands here twice".into(),
        };
    }
    let number = message.strip_prefix("invalid ").and_then(|kind| {
        let bits: u32 = kind.get(1..)?.parse().ok()?;
        let highest = 1_u128.checked_shl(bits)?.checked_sub(1)?;
        match kind.as_bytes()[0] {
            b'u' => Some(format!(
                "a whole number from 0 to {highest} has to stand here"
            )),
            b'i' => Some("a whole number has to stand here".into()),
            b'f' => Some("a number has to stand here".into()),
            _ => None,
        }
    });
    number.unwrap_or_else(|| message.into())
}

/// Finds the nearest known word for an unknown one in a parser's message: ``unknown field `x`, expected one of a, b``.
fn hint_for_parse_error(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("while parsing a quoted scalar") {
        return Some(
            "in double quotes a backslash starts an escape; write two, or use single quotes".into(),
        );
    }
    if message.contains("missing") {
        let field = quoted.first()?;
        return Some(format!("add `{field}:`"));
    }
    let unknown = quoted.first()?;
    let (_, listed) = message.split_once("expected one of ")?;
    let known: Vec<&str> = listed
        .split(", ")
        .map(|name| name.trim_matches('`'))
        .collect();
    let nearest = known
        .iter()
        .max_by(|left, right| {
            strsim::jaro_winkler(unknown, left).total_cmp(&strsim::jaro_winkler(unknown, right))
        })
        .filter(|name| strsim::jaro_winkler(unknown, name) > 0.75);
    Some(match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", known.join(", ")),
    })
}
