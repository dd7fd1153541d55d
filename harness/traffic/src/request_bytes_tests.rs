//! Requests as bytes: what is added, what is left, and what is refused.

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::body_decoder::{BodyDecoder, BodyFraming};
use crate::plan::Framing;
use crate::request_layout::CHUNK_SIZE;

fn planned(headers: &[(&str, &str)], body: Option<&str>, framing: Framing) -> PlannedRequest {
    PlannedRequest {
        id: "s.c.{n}.r".into(),
        method: "POST".into(),
        target: "/a/../%2e//?q=<'>".into(),
        headers: headers
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect(),
        body_base64: body.map(|body| STANDARD.encode(body)),
        framing,
        raw_base64: None,
        protocol: Protocol::Http1,
        trailers: Vec::new(),
        body_pacing: None,
        body_start: BodyStart::AtOnce,
        upgrade: None,
        linger_milliseconds: None,
    }
}

fn text_of(request: &PlannedRequest) -> String {
    let template = RequestTemplate::new(request, "10.0.0.1:8000").expect("valid");
    String::from_utf8(template.numbered(7).bytes).expect("text")
}

#[test]
fn a_request_without_body_has_only_the_host_added() {
    assert_eq!(
        text_of(&planned(
            &[("B", "1"), ("a", " 2 ")],
            None,
            Framing::ContentLength
        )),
        "POST /a/../%2e//?q=<'> HTTP/1.1\r\nx-conformance-id: s.c.7.r\r\n\
         host: 10.0.0.1:8000\r\nB: 1\r\na:  2 \r\n\r\n"
    );
}

#[rstest]
#[case(&[], "content-length: 5\r\n\r\nhello")]
#[case(&[("Content-Length", "4")], "Content-Length: 4\r\n\r\nhello")]
#[case(&[("transfer-encoding", "x")], "transfer-encoding: x\r\n\r\nhello")]
fn the_length_is_added_only_where_the_plan_has_no_framing(
    #[case] headers: &[(&str, &str)],
    #[case] end: &str,
) {
    let text = text_of(&planned(headers, Some("hello"), Framing::ContentLength));
    assert!(text.ends_with(end), "{text}");
    assert!(
        text.to_lowercase().matches("content-length").count() <= 1,
        "{text}"
    );
}

#[test]
fn an_empty_body_still_has_a_length() {
    let text = text_of(&planned(&[], Some(""), Framing::ContentLength));
    assert!(text.ends_with("content-length: 0\r\n\r\n"), "{text}");
}

#[test]
fn a_chunked_body_is_cut_at_four_kibibytes() {
    let body = "x".repeat(CHUNK_SIZE + 1);
    let text = text_of(&planned(&[("HOST", "h")], Some(&body), Framing::Chunked));
    assert!(!text.contains("host: 10."), "{text}");
    let body = text
        .split_once("transfer-encoding: chunked\r\n\r\n")
        .expect("the framing comes last")
        .1;
    assert!(body.starts_with("1000\r\nxx"), "{body}");
    assert!(body.ends_with("x\r\n1\r\nx\r\n0\r\n\r\n"), "{body}");
}

#[test]
fn the_number_is_put_into_the_id_and_nowhere_else() {
    let request = planned(&[("x-n", "{n}")], None, Framing::ContentLength);
    let template = RequestTemplate::new(&request, "h:1").expect("valid");
    let numbered = template.numbered(3);
    assert_eq!(numbered.id, "s.c.3.r");
    let text = String::from_utf8(numbered.bytes).expect("text");
    assert!(text.contains("x-n: {n}\r\n"), "{text}");
    assert_eq!(template.once().id, "s.c.{n}.r");
}

#[rstest]
#[case("x\r\ny: z", "the header `a`")]
#[case("x\0", "the header `a`")]
#[case("x\n", "the header `a`")]
fn a_field_that_would_end_itself_is_refused(#[case] value: &str, #[case] field: &str) {
    let request = planned(&[("a", value)], None, Framing::ContentLength);
    let error = RequestTemplate::new(&request, "h:1").expect_err("a control character");
    assert!(error.to_string().contains(field), "{error}");
}

#[test]
fn control_characters_are_refused_in_every_other_part() {
    let mut id = planned(&[], None, Framing::ContentLength);
    id.id = "a\nb".into();
    let mut method = planned(&[], None, Framing::ContentLength);
    method.method = "GET\r".into();
    let mut target = planned(&[], None, Framing::ContentLength);
    target.target = "/\n".into();
    let name = planned(&[("a\n", "1")], None, Framing::ContentLength);
    for request in [id, method, target, name] {
        let error = RequestTemplate::new(&request, "h:1").expect_err("a control character");
        assert!(!error.to_string().contains(['\r', '\n']), "{error}");
    }
}

#[test]
fn a_body_that_is_not_base64_is_refused() {
    let mut request = planned(&[], None, Framing::ContentLength);
    request.body_base64 = Some("%".into());
    let error = RequestTemplate::new(&request, "h:1").expect_err("not base64");
    assert!(matches!(error, RequestError::Body { .. }), "{error}");
}

#[rstest]
#[case("s.c.{n}.r", "x: s.c.7.r y: s.c.7.r")]
#[case("s.c.0.r", "x: s.c.{n}.r y: s.c.{n}.r")]
fn a_raw_request_is_left_alone_but_for_numbered_ids(#[case] id: &str, #[case] expected: &str) {
    let mut request = planned(&[], None, Framing::ContentLength);
    request.id = id.into();
    let raw = b"\xff\n\0 x: s.c.{n}.r y: s.c.{n}.r";
    request.raw_base64 = Some(STANDARD.encode(raw));
    let template = RequestTemplate::new(&request, "h:1").expect("valid");
    let bytes = template.numbered(7);
    assert_eq!(bytes.bytes, [b"\xff\n\0 ", expected.as_bytes()].concat());
    assert_eq!((bytes.head_length, bytes.manner.linger), (0, RAW_LINGER));
    assert_eq!(bytes.answer_body, AnswerBody::Possible);
}

#[test]
fn an_http_1_0_request_differs_in_its_version_only() {
    let mut request = planned(&[], Some("a"), Framing::ContentLength);
    let newer = text_of(&request);
    request.protocol = Protocol::Http10;
    let older = text_of(&request);
    assert!(older.contains(" HTTP/1.0\r\n"), "{older}");
    assert_eq!(older.replace("HTTP/1.0", "HTTP/1.1"), newer);
}

#[test]
fn trailers_follow_the_last_chunk() {
    let mut request = planned(&[], Some("a"), Framing::Chunked);
    request.trailers = vec![("X-T".into(), "1".into()), ("y".into(), String::new())];
    let text = text_of(&request);
    assert!(
        text.ends_with("\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\ny: \r\n\r\n"),
        "{text}"
    );
}

#[test]
fn an_expectation_is_added_once_and_the_head_ends_before_the_body() {
    let mut request = planned(&[], Some("body"), Framing::ContentLength);
    request.body_start = BodyStart::AfterContinue;
    let bytes = RequestTemplate::new(&request, "h:1").expect("valid").once();
    let (head, body) = bytes.bytes.split_at(bytes.head_length);
    assert!(head.ends_with(b"expect: 100-continue\r\ncontent-length: 4\r\n\r\n"));
    assert_eq!(body, b"body");
    request.headers.push(("Expect".into(), "200-maybe".into()));
    assert!(!text_of(&request).contains("100-continue"));
}

#[test]
fn an_upgrade_has_its_fields_and_keeps_its_body_for_later() {
    let mut request = planned(
        &[("Upgrade", "WebSocket")],
        Some("hello"),
        Framing::ContentLength,
    );
    request.upgrade = Some(Upgrade::Websocket);
    let bytes = RequestTemplate::new(&request, "h:1").expect("valid").once();
    let text = String::from_utf8(bytes.bytes).expect("text");
    assert!(
        text.contains("\r\nUpgrade: WebSocket\r\nconnection: Upgrade\r\n"),
        "{text}"
    );
    assert!(text.contains("sec-websocket-version: 13\r\n"), "{text}");
    assert!(
        text.ends_with("\r\n\r\n") && !text.contains("content-length"),
        "{text}"
    );
    assert_eq!(bytes.manner.websocket.expect("asked for").message, b"hello");
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let mut request = planned(&[("a", "b")], None, Framing::ContentLength);
    request.raw_base64 = Some(String::new());
    let error = RequestTemplate::new(&request, "h:1").expect_err("raw with a header");
    assert!(matches!(error, RequestError::Combination { .. }), "{error}");
}

/// Text of a field: anything, control characters among it.
fn field_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[!-~]{1,12}",
        1 => "\\PC{0,8}",
        1 => "[\\x00-\\x20a-z]{0,8}",
    ]
}

fn plans() -> impl Strategy<Value = (PlannedRequest, Option<Vec<u8>>)> {
    let body = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9_000));
    let headers = proptest::collection::vec(("[a-z-]{1,8}", field_text()), 0..6);
    let framing = prop_oneof![Just(Framing::ContentLength), Just(Framing::Chunked)];
    (field_text(), field_text(), headers, body, framing).prop_map(
        |(id, target, headers, body, framing)| {
            let request = PlannedRequest {
                id,
                target,
                headers,
                body_base64: body.as_ref().map(|body| STANDARD.encode(body)),
                ..planned(&[], None, framing)
            };
            (request, body)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_planned_is_sent_as_it_stands_or_refused((request, body) in plans()) {
        let parts = || {
            let headers = request.headers.iter().map(|(_, value)| value);
            [&request.id, &request.target].into_iter().chain(headers)
        };
        let ends_a_field = parts().any(|text| text.contains(['\r', '\n', '\0']));
        let template = RequestTemplate::new(&request, "a:1");
        prop_assert_eq!(template.is_err(), ends_a_field);
        let Ok(template) = template else { return Ok(()) };
        let sent = template.numbered(7);
        let id = request.id.replace("{n}", "7");
        let (head, sent_body) = sent.bytes.split_at(sent.head_length);

        // A head is lines and nothing else: no field has opened another one.
        let head = std::str::from_utf8(head).expect("fields are text");
        let mut lines = head.split("\r\n");
        prop_assert_eq!(lines.next(), Some(&*format!("POST {} HTTP/1.1", request.target)));
        prop_assert_eq!(lines.next(), Some(&*format!("x-conformance-id: {id}")));
        let wanted: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let rest: Vec<&str> = lines.collect();
        let added = rest.len() - wanted.len() - 2;
        prop_assert!(added <= 2, "{:?}", rest);
        prop_assert_eq!(&rest[rest.len() - 2..], ["", ""]);
        let first = usize::from(!request.headers.iter().any(|(name, _)| name == "host"));
        prop_assert_eq!(&rest[first..first + wanted.len()], &wanted[..]);

        let body = body.unwrap_or_default();
        if request.framing == Framing::Chunked && request.body_base64.is_some() {
            let mut decoder = BodyDecoder::new(BodyFraming::Chunked, 1 << 20).expect("within the bound");
            prop_assert_eq!(decoder.read(sent_body), Ok(sent_body.len()));
            prop_assert!(decoder.is_complete());
            let decoded = decoder.finish();
            prop_assert_eq!(decoded.length, body.len() as u64);
            prop_assert_eq!(decoded.sha256, harness_core::model::digest::sha256(&body));
        } else {
            prop_assert_eq!(sent_body, &body[..]);
        }
    }
}
