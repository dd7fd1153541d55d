//! Looks for header fields among those that were received.

use harness_core::model::datum::{Datum, HeaderField};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Located;
use harness_core::model::request::parse_header;

/// Finds a header field that is not there once with its value.
pub(super) fn missing_header(
    kind: FindingKind,
    field: &Located<String>,
    headers: &[(String, String)],
) -> Option<Finding> {
    let (name, value) = parse_header(field).ok()?;
    let found: Vec<&str> = headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(&name))
        .map(|(_, value)| value.as_str())
        .collect();
    (found != [value.as_str()]).then(|| {
        let observed = values(&name, headers);
        let expected = Datum::HeaderOnce(HeaderField { name, value });
        Finding::new(kind, field.position, expected, observed)
    })
}

/// Finds a header field that must not be there.
pub(super) fn present_header(
    kind: FindingKind,
    pattern: &Located<String>,
    headers: &[(String, String)],
) -> Option<Finding> {
    headers
        .iter()
        .find(|(name, value)| matches_field(pattern, name, value))
        .map(|(name, value)| {
            Finding::new(
                kind,
                pattern.position,
                Datum::NoHeader(pattern.value.clone()),
                Datum::Headers(vec![header(name, value)]),
            )
        })
}

/// Returns the fields of a name.
pub(super) fn values(name: &str, headers: &[(String, String)]) -> Datum {
    let found: Vec<HeaderField> = headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| header(name, value))
        .collect();
    if found.is_empty() {
        Datum::NoHeader(name.into())
    } else {
        Datum::Headers(found)
    }
}

/// Makes a field of a name and a value.
pub(super) fn header(name: &str, value: &str) -> HeaderField {
    HeaderField {
        name: name.into(),
        value: value.into(),
    }
}

/// Tells whether a header field fits a name or a `prefix*`, or exactly a `name: value`.
fn matches_field(pattern: &str, name: &str, value: &str) -> bool {
    match parse_header(pattern) {
        Ok((wanted, forged)) => wanted.eq_ignore_ascii_case(name) && forged == value,
        Err(_) => matches_pattern(pattern, name),
    }
}

/// Tells whether a header name fits a name or a `prefix*`, without regard to case.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<(String, String)> {
        [("X-One", "1"), ("x-two", "a"), ("X-TWO", "b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    fn text(text: &str) -> Located<String> {
        Located::unwritten(text.to_owned())
    }

    #[test]
    fn a_field_must_be_there_once_with_its_value_whatever_the_case_of_its_name() {
        assert_eq!(
            missing_header(FindingKind::ClientHeader, &text("x-one: 1"), &fields()),
            None
        );
        for (wanted, observed) in [
            ("x-one: 2", "x-one: 1"),
            ("x-two: a", "x-two: a; x-two: b"),
            ("x-three: 1", "no header `x-three`"),
        ] {
            let finding = missing_header(FindingKind::ClientHeader, &text(wanted), &fields())
                .expect("a finding");
            assert_eq!(finding.observed.to_string(), observed);
        }
    }

    #[test]
    fn a_field_that_must_not_be_there_is_found_by_its_name_or_by_a_prefix() {
        for pattern in ["x-one", "X-T*", "*"] {
            assert!(present_header(FindingKind::ClientHeader, &text(pattern), &fields()).is_some());
        }
        for pattern in ["x-on", "x-one-more*", "y*"] {
            assert_eq!(
                present_header(FindingKind::ClientHeader, &text(pattern), &fields()),
                None
            );
        }
    }
}
