//! Tests of [`super`]: the message as the proxy would write it, and where it is odd on purpose.

use rstest::rstest;

use super::*;

fn message(yaml: &str) -> CheckMessage {
    let spec: CheckSpec = serde_saphyr::from_str(yaml).expect("well-formed");
    CheckMessage::new(&spec, &RequestId::from_witness("a.b.0.r")).expect("it can be made")
}

fn http(yaml: &str) -> HttpRequest {
    let check = CheckRequest::decode(message(yaml).bytes.as_slice()).expect("protobuf");
    let request = check
        .attributes
        .expect("attributes")
        .request
        .expect("request");
    request.http.expect("http")
}

#[rstest]
#[case::small(1024)]
#[case::odd(20_001)]
#[case::at_four_mebibytes(4_194_304)]
#[case::over(4_194_305)]
fn a_message_has_exactly_the_length_that_was_asked_for(#[case] length: usize) {
    let message = message(&format!(
        "message-length: {length}\nbody: {{text: q=1}}\nunknown-fields: appended"
    ));
    assert_eq!(message.bytes.len(), length);
}

#[test]
fn what_fills_a_message_stands_before_its_body() {
    let body = http("message-length: 2000\nbody: {text: q=1}").body;
    assert!(
        body.starts_with("filler=aaa") && body.ends_with("a&q=1"),
        "{body}"
    );
}

#[test]
fn each_form_of_headers_fills_its_own_field() {
    let both = http("header-form: both\nheaders: ['X-A: 1', 'x-a: 2']");
    assert_eq!(both.headers["x-a"], "1,2");
    let list = both.header_map.expect("a list").headers;
    assert_eq!(list.iter().filter(|header| header.key == "x-a").count(), 2);
    assert!(http("header-form: list").headers.is_empty());
    assert!(http("header-form: map").header_map.is_none());
}

#[test]
fn bytes_that_are_no_text_arrive_as_bytes() {
    let http = http("body: {base64: /wA=}\nbody-form: bytes");
    assert_eq!(http.raw_body, [0xff, 0]);
    assert!(http.body.is_empty());
}

#[rstest]
#[case("missing: attributes")]
#[case("missing: request")]
#[case("missing: http")]
#[case("header-form: neither")]
fn a_message_without_headers_has_no_id(#[case] yaml: &str) {
    let message = message(yaml);
    assert_eq!(message.identification, Identification::Nameless);
    let id = b"a.b.0.r";
    assert!(!message.bytes.windows(id.len()).any(|window| window == id));
}

#[test]
fn unknown_fields_leave_the_known_ones_as_they_are() {
    assert_eq!(http("unknown-fields: appended\npath: /x").path, "/x");
    let plain = message("path: /x").bytes.len();
    let unknown = message("path: /x\nunknown-fields: appended").bytes.len();
    assert_eq!(unknown, plain + 2 * UNKNOWN_FIELDS.len() + 2);
}
