//! What the detection tests share: requests that carry a value at a position.

use agent_stub::exchange::CheckedRequest;
use agent_stub::inspect::inspect;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

pub(crate) fn findings(request: &CheckedRequest) -> Vec<(&'static str, &'static str)> {
    let signals = inspect(request).expect("the inspection works");
    signals
        .iter()
        .map(|signal| (signal.kind.as_str(), signal.location.as_str()))
        .collect()
}

pub(crate) fn get(target: &str) -> CheckedRequest {
    CheckedRequest {
        method: "GET".into(),
        target: target.into(),
        ..CheckedRequest::default()
    }
}

pub(crate) fn with_header(name: &str, value: &str) -> CheckedRequest {
    CheckedRequest {
        headers: vec![(name.into(), value.into())],
        ..get("/")
    }
}

pub(crate) fn post(content_type: &str, body: &str) -> CheckedRequest {
    CheckedRequest {
        method: "POST".into(),
        body: body.into(),
        ..with_header("content-type", content_type)
    }
}

pub(crate) fn encoded(value: &str) -> String {
    percent_encode(value.as_bytes(), NON_ALPHANUMERIC).to_string()
}

/// The same value at every position that holds free text.
pub(crate) fn everywhere(value: &str) -> Vec<(&'static str, CheckedRequest)> {
    let json = json_of(value);
    let xml = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    vec![
        ("PATH", get(&format!("/a/{}", encoded(value)))),
        ("QUERYSTRING", get(&format!("/a?q={}", encoded(value)))),
        ("QUERYSTRING", get(&format!("/a?{}=1", encoded(value)))),
        (
            "FORM",
            post(
                "application/x-www-form-urlencoded",
                &format!("a=1&b={}", encoded(value)),
            ),
        ),
        (
            "JSON",
            post(
                "application/json",
                &format!("{{\"a\":[1,{{\"b\":{json}}}]}}"),
            ),
        ),
        (
            "JSON",
            post("application/json", &format!("{{{json}:true}}")),
        ),
        ("POSTBODY", post("text/plain", value)),
        (
            "POSTBODY",
            post(
                "multipart/form-data; boundary=xyz",
                &format!(
                    "--xyz\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n{value}\r\n--xyz--\r\n"
                ),
            ),
        ),
        ("HEADER", with_header("x-comment", value)),
        (
            "XML",
            post(
                "application/xml",
                &format!("<?xml version=\"1.0\"?><a><b c=\"1\">{xml}</b></a>"),
            ),
        ),
        ("XML", post("text/xml", &format!("<a b=\"{xml}\"/>"))),
        (
            "GRAPHQL",
            post(
                "application/json",
                &format!(
                    "{{\"query\":{},\"variables\":{{}}}}",
                    json_of(&format!("query {{ user(name: {json}) {{ id }} }}"))
                ),
            ),
        ),
        (
            "GRAPHQL",
            post(
                "application/json",
                &format!(
                    "{{\"variables\":{{\"name\":{json}}},\"query\":\"query q($name: String) {{ user(name: $name) {{ id }} }}\"}}"
                ),
            ),
        ),
        ("GRPC", grpc(value)),
        (
            "COOKIE",
            with_header("cookie", &format!("a=1; b={}", encoded(value))),
        ),
    ]
}

fn json_of(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

/// A message with a number and a nested message whose second field is the value.
pub(crate) fn grpc(value: &str) -> CheckedRequest {
    let inner = protobuf_field(2, value.as_bytes());
    let mut message = vec![0x08, 0x96, 0x01];
    message.extend(protobuf_field(3, &inner));
    let mut body = vec![0];
    body.extend(u32::try_from(message.len()).expect("short").to_be_bytes());
    body.extend(message);
    CheckedRequest {
        body,
        ..post("application/grpc", "")
    }
}

fn protobuf_field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    field.push(u8::try_from(length).expect("seven bits"));
    field.extend(content);
    field
}
