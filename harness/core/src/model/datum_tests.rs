//! Tests of the data of findings: what is written reads back, and each is rendered in words that a report can show.

use rstest::rstest;
use serde_json::json;

use super::*;

fn field(name: &str, value: &str) -> HeaderField {
    HeaderField {
        name: name.into(),
        value: value.into(),
    }
}

/// One datum of each type, with what it is in words.
fn each() -> Vec<(Datum, &'static str)> {
    vec![
        (
            Datum::any_of([Outcome::FailedOpen, Outcome::Allowed]),
            "failed-open or allowed",
        ),
        (Datum::AtLeast(Quantity::Count(3)), "at least 3"),
        (Datum::AtMost(Quantity::Bytes(32 << 20)), "at most 32 MiB"),
        (
            Datum::Body(Body {
                length: Some(2),
                sha256: "00ff".into(),
            }),
            "2 bytes, SHA-256 00ff",
        ),
        (
            Datum::Body(Body {
                length: None,
                sha256: "00ff".into(),
            }),
            "SHA-256 00ff",
        ),
        (CallOutcome::NoConnection.into(), "no-connection"),
        (Datum::code(-1), "-1"),
        (Datum::counted(1, ["line", "lines"]), "1 line"),
        (Datum::counted(0, ["line", "lines"]), "0 lines"),
        (
            Datum::HeaderOnce(field("location", "/why")),
            "location: /why, once",
        ),
        (
            Datum::Headers(vec![field("a", "1"), field("a", "2")]),
            "a: 1; a: 2",
        ),
        (Datum::HttpStatus(406), "406"),
        (Datum::names(["XSS", "SQLI"]), "SQLI, XSS"),
        (Datum::names([""; 0]), "none"),
        (Datum::NoHeader("x-*".into()), "no header `x-*`"),
        (Datum::Nothing, "none"),
        (Outcome::BlockedByAgent.into(), "blocked-by-agent"),
        (
            Quantity::from(Duration::from_millis(1_500)).into(),
            "1s 500ms",
        ),
        (Quantity::Percent(60).into(), "60 %"),
        (Quantity::Bytes((1 << 20) + 1).into(), "1048577 bytes"),
        (Quantity::Bytes(3 << 9).into(), "1536 bytes"),
        (Quantity::Bytes(0).into(), "0 bytes"),
        ("in a few words".into(), "in a few words"),
    ]
}

#[test]
fn what_is_written_reads_back_and_is_rendered_as_prose() {
    for (datum, words) in each() {
        assert_eq!(datum.to_string(), words);
        let written = serde_json::to_string(&datum).expect("JSON");
        let read: Datum = serde_json::from_str(&written).expect("what was written");
        assert_eq!(read, datum, "{written}");
    }
}

#[test]
fn reports_have_a_tagged_object_for_each() {
    let written = |datum: Datum| serde_json::to_value(datum).expect("JSON");
    assert_eq!(
        written(Outcome::Allowed.into()),
        json!({"type": "outcome", "value": "allowed"})
    );
    assert_eq!(
        written(Datum::AtMost(Quantity::Bytes(5))),
        json!({"type": "at-most", "value": {"unit": "bytes", "amount": 5}})
    );
    assert_eq!(written(Datum::Nothing), json!({"type": "nothing"}));
}

#[rstest]
#[case::unknown_type(json!({"type": "guess", "value": 1}))]
#[case::no_type(json!("allowed"))]
#[case::another_value(json!({"type": "http-status", "value": "allowed"}))]
#[case::a_status_out_of_range(json!({"type": "http-status", "value": 70_000}))]
fn what_is_no_datum_is_refused(#[case] written: serde_json::Value) {
    assert!(serde_json::from_value::<Datum>(written).is_err());
}

#[test]
fn the_largest_amounts_read_back_and_longer_times_are_bounded() {
    for quantity in [
        Quantity::Bytes(u64::MAX),
        Quantity::Count(u64::MAX),
        Quantity::Microseconds(u64::MAX),
        Quantity::Percent(u64::MAX),
    ] {
        let written = serde_json::to_string(&Datum::from(quantity)).expect("JSON");
        let read: Datum = serde_json::from_str(&written).expect("what was written");
        assert_eq!(read, Datum::Quantity(quantity));
        assert!(!read.to_string().is_empty());
    }
    assert_eq!(
        Quantity::from(Duration::MAX),
        Quantity::Microseconds(u64::MAX)
    );
}

#[test]
fn one_choice_is_that_one_and_no_choice_is_nothing() {
    assert_eq!(
        Datum::any_of([Outcome::Lost]),
        Datum::Outcome(Outcome::Lost)
    );
    assert_eq!(Datum::any_of([Outcome::Lost; 0]), Datum::Nothing);
}

#[test]
fn every_text_in_a_datum_is_changed() {
    let hide = |text: &str| text.replace("key", "[redacted]");
    for datum in [
        Datum::Text("a key".into()),
        Datum::Headers(vec![field("key", "a key")]),
        Datum::HeaderOnce(field("a", "key")),
        Datum::NoHeader("key".into()),
        Datum::names(["key"]),
        Datum::any_of(["key", "another key"]),
    ] {
        let shown = serde_json::to_string(&datum.map_texts(&hide)).expect("JSON");
        assert!(!shown.contains("key"), "{shown}");
        assert!(shown.contains("[redacted]"), "{shown}");
    }
}
