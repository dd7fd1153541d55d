//! Requests of files: their bodies, their raw bytes, and what does not go together.

use rstest::rstest;

use super::*;

#[test]
fn a_filled_body_has_the_exact_length_and_its_fixed_ends() {
    let body = FilledBody {
        before: "q=".into(),
        fill: Some("xy".into()),
        after: "!".into(),
        length: 8,
    };
    assert_eq!(body.bytes().expect("fits"), b"q=xyxyx!");
}

#[test]
fn a_filled_body_that_is_too_short_for_its_fixed_parts_is_refused() {
    let body = FilledBody {
        before: "long".into(),
        length: 2,
        ..FilledBody::default()
    };
    assert!(matches!(
        body.bytes(),
        Err(RequestSpecError::FilledTooShort {
            length: 2,
            fixed: 4
        })
    ));
}

#[test]
fn the_id_is_the_only_substitution_in_raw_text() {
    let raw = RawSpec {
        text: Some("GET / HTTP/1.1\nx: {id}{{id}}{n}\r\n".into()),
        ..RawSpec::default()
    };
    assert_eq!(
        raw.bytes_for("a.b.0.r").expect("one form"),
        b"GET / HTTP/1.1\nx: a.b.0.r{a.b.0.r}{n}\r\n"
    );
    let raw = RawSpec {
        base64: Some(STANDARD.encode(b"\xff{id}\x00")),
        ..RawSpec::default()
    };
    assert_eq!(raw.bytes_for("i").expect("one form"), b"\xffi\x00");
}

#[rstest]
#[case("raw: {text: x}\nheaders: ['a: b']", "raw bytes take no header")]
#[case("raw: {text: x}\nprotocol: h2", "no protocol")]
#[case("raw: {text: x, base64: eA==}", "exactly one")]
#[case("raw: {}", "exactly one")]
#[case("raw: {base64: '%'}", "base64")]
#[case("raw: {text: x, linger-milliseconds: 60001}", "read on")]
#[case("body-start: after-continue", "100 Continue")]
#[case("trailers: ['a: b']\nbody: {text: x}", "chunked")]
#[case("trailers: ['a']\nprotocol: h2", "not a header field")]
#[case("body-pacing: {piece: 1, interval-milliseconds: 1}", "no body")]
#[case(
    "body: {text: x}\nbody-pacing: {piece: 0, interval-milliseconds: 1}",
    "at least 1"
)]
#[case("upgrade: websocket\nprotocol: http1-0", "HTTP/1.0")]
#[case(
    "upgrade: websocket\nbody: {text: x}\nbody-start: after-continue",
    "one frame"
)]
fn parts_that_do_not_go_together_are_refused(#[case] yaml: &str, #[case] fragment: &str) {
    let spec: RequestSpec =
        serde_saphyr::from_str(&format!("target: /\n{yaml}\n")).expect("well-formed");
    let error = spec.check_form().expect_err("they do not go together");
    assert!(error.to_string().contains(fragment), "{error}");
}

#[rstest]
#[case("")]
#[case(
    "raw: {text: x, linger-milliseconds: 10}\nbody-pacing: {piece: 1, interval-milliseconds: 5}"
)]
#[case("protocol: h2\ntrailers: ['a: b']")]
#[case("body: {text: x, framing: chunked}\ntrailers: ['a: b']\nbody-start: after-continue")]
#[case("protocol: http1-0\nbody: {text: x}")]
#[case("upgrade: websocket\nbody: {text: hello}")]
fn parts_that_go_together_are_taken(#[case] yaml: &str) {
    let spec: RequestSpec =
        serde_saphyr::from_str(&format!("target: /\n{yaml}\n")).expect("well-formed");
    spec.check_form().expect("they go together");
}

#[test]
fn a_body_in_two_forms_is_refused() {
    let body = BodySpec {
        text: Some("a".into()),
        base64: Some("YQ==".into()),
        ..BodySpec::default()
    };
    assert!(matches!(body.bytes(), Err(RequestSpecError::BodyForm)));
}
