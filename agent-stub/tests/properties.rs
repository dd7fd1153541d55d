//! Whatever arrives, the agent inspects it: no input makes a detector or a reader panic.

use agent_stub::exchange::CheckedRequest;
use agent_stub::inspect::{anomalies, inspect};
use agent_stub::settings::{parse_header_list, parse_span};
use proptest::collection::vec;
use proptest::prelude::*;

/// Pieces that detectors react to, so that random texts reach their depths.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "/",
    "../",
    "..\\",
    "%",
    "%25",
    "%2",
    "%27",
    "+",
    "-",
    "--",
    "#",
    "/*",
    "*/",
    "/*!",
    ";",
    "|",
    "||",
    "&",
    "&&",
    "=",
    "<",
    ">",
    "<!--",
    "-->",
    "<script",
    "<a href=",
    "&#",
    "&#x",
    "&#106;",
    "${",
    "}",
    "${jndi:",
    ":-",
    "$(",
    ")",
    "(",
    "{",
    "[",
    "]",
    ":",
    ",",
    "\\u",
    "\\ud83d",
    "\\u0041",
    "union",
    "select",
    "or",
    "and",
    "1",
    "0x",
    "1e",
    ".5",
    "$$",
    "$a$",
    "@",
    "@@",
    "q'[",
    "n'",
    "x'",
    "b'",
    "u&'",
    "like",
    "sleep(",
    "cat",
    " ",
    "\n",
    "\r\n",
    "\0",
    "é",
    "😀",
    "onload=",
    "javascript:",
    "--xyz",
    "boundary=xyz",
    "name=",
    "\u{fffd}",
    "<?php",
    "<?xml",
    "<!DOCTYPE a [",
    "<!ENTITY",
    "SYSTEM",
    "<![CDATA[",
    "]]>",
    "{{",
    "}}",
    "#{",
    "<%",
    "eval(",
    "http://",
    "169.254.",
    "0xa9",
    "[::ffff:",
    "\\x3c",
    "%u003c",
    "%c0%ae",
    "&lt;",
    "PHNj",
    "query{a(b:\"",
    "filename*=",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

fn content_type() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=xyz",
            "text/plain",
            "application/xml",
            "application/octet-stream",
            "application/grpc",
            "application/x-protobuf",
            "application/graphql",
            "multipart/form-data; boundary=",
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_inspected(
        target in text(),
        name in text(),
        value in text(),
        content_type in content_type(),
        content_encoding in prop::sample::select(&["", "gzip", "deflate"][..]),
        body in prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..200)],
    ) {
        let request = CheckedRequest {
            target,
            headers: vec![
                (name, value.clone()),
                ("content-type".into(), content_type.into()),
                ("content-encoding".into(), content_encoding.into()),
                ("cookie".into(), value.clone()),
                ("user-agent".into(), value),
            ],
            body,
            ..CheckedRequest::default()
        };
        prop_assert!(inspect(&request).is_ok());
        prop_assert!(anomalies(&request).len() < 100);
    }

    #[test]
    fn every_setting_is_read_or_refused(text in text()) {
        if let Ok(span) = parse_span(&text) {
            prop_assert!(span.as_secs() <= 366 * 24 * 3600);
        }
        for header in parse_header_list(&text).unwrap_or_default() {
            prop_assert!(!header.name.is_empty() && !header.value.contains(char::is_control));
        }
    }
}
