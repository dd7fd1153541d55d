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
            let message = in_plain_words(error.without_snippet());
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
fn in_plain_words(error: &serde_saphyr::Error) -> String {
    let said = match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            Some(format!("the key `{key}` stands here twice"))
        }
        serde_saphyr::Error::DuplicateMappingKey { key: None, .. } => {
            Some("a key stands here twice".into())
        }
        serde_saphyr::Error::InvalidScalar { ty, .. } => number(ty),
        _ => None,
    };
    said.unwrap_or_else(|| strip_location(&error.to_string()).to_owned())
}

/// Says which number has to stand at a place, by the type that could not be read; none where it is no number.
fn number(type_name: &str) -> Option<String> {
    if type_name == "floating point" {
        return Some("a number has to stand here".into());
    }
    if let Some(bits) = type_name.strip_prefix('u') {
        let highest = 1_u128.checked_shl(bits.parse().ok()?)?.checked_sub(1)?;
        return Some(format!(
            "a whole number from 0 to {highest} has to stand here"
        ));
    }
    let bits: Option<u32> = type_name.strip_prefix('i')?.parse().ok();
    bits.map(|_| "a whole number has to stand here".into())
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only that they cannot be read matters")]
    struct Numbers {
        small: Option<u8>,
        port: Option<u16>,
        large: Option<u64>,
        whole: Option<i32>,
        rate: Option<f64>,
        yes: Option<bool>,
        list: Option<Vec<u8>>,
    }

    #[rstest]
    #[case::twice("port: 1\nport: 2\n", "the key `port` stands here twice")]
    #[case::small("small: 256\n", "a whole number from 0 to 255 has to stand here")]
    #[case::port("port: 65536\n", "a whole number from 0 to 65535 has to stand here")]
    #[case::negative("port: -1\n", "a whole number from 0 to 65535 has to stand here")]
    #[case::word("port: many\n", "a whole number from 0 to 65535 has to stand here")]
    #[case::large(
        "large: 99999999999999999999\n",
        "a whole number from 0 to 18446744073709551615 has to stand here"
    )]
    #[case::whole("whole: 1.5\n", "a whole number has to stand here")]
    #[case::rate("rate: fast\n", "a number has to stand here")]
    fn what_cannot_be_read_is_said_in_plain_words(#[case] text: &str, #[case] message: &str) {
        let mut complaints = Vec::new();
        let read: Option<Numbers> = parse("file.yaml".into(), &text.into(), &mut complaints);
        assert!(read.is_none());
        assert_eq!(complaints[0].message, message);
    }

    #[rstest]
    #[case("yes: 7\n")]
    #[case("list: 7\n")]
    #[case("list: [a]\n")]
    #[case("{ small: 1, small: 2 }\n")]
    #[case("? [1, 2]\n: 3\n")]
    #[case("small: &a [*b]\n")]
    #[case("small: !!binary x\n")]
    fn no_message_speaks_of_the_parsers_own_code(#[case] text: &str) {
        let mut complaints = Vec::new();
        let read: Option<Numbers> = parse("file.yaml".into(), &text.into(), &mut complaints);
        assert!(read.is_none(), "{text}");
        for word in ["Policy", "Options", "serde", "u8", "::"] {
            assert!(
                !complaints[0].message.contains(word),
                "{}",
                complaints[0].message
            );
        }
    }
}
