//! An encoder of what a proxy, an agent and a tap would write, for the tests.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, check_response,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use harness_core::model::identity::REQUEST_ID_HEADER;
use prost::Message as _;

use crate::frames::PREFACE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A block of literals that no table gets.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "one octet has the length");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

pub(crate) fn message(content: &[u8]) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    message.extend(content);
    message
}

pub(crate) fn check_request(id: &str) -> CheckRequest {
    let http = HttpRequest {
        id: format!("proxy-{id}"),
        method: "GET".into(),
        path: "/a?b=c".into(),
        host: "host".into(),
        size: -1,
        headers: [
            (REQUEST_ID_HEADER, id),
            (":method", "GET"),
            (":authority", "127.0.0.1:8000"),
            (":path", "/a?b=c"),
            (":scheme", "http"),
            ("accept", "*/*"),
            ("user-agent", "curl/7.88.1"),
            ("x-envoy-external-address", "127.0.0.1"),
            ("x-forwarded-for", "192.0.2.2"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "50fecba6-44da-4b81-8768-0101e880b7bb"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..HttpRequest::default()
    };
    CheckRequest {
        attributes: Some(AttributeContext {
            request: Some(Request {
                http: Some(http),
                ..Request::default()
            }),
            ..AttributeContext::default()
        }),
    }
}

pub(crate) fn head(path: &str) -> Vec<u8> {
    block(&[(":method", "POST"), (":path", path), ("te", "trailers")])
}

/// What the proxy writes for a check.
pub(crate) fn asked(stream: u32, id: &str) -> Vec<u8> {
    let request = message(&check_request(id).encode_to_vec());
    let head = head("/envoy.service.auth.v3.Authorization/Check");
    [
        frame(HEADERS, END_HEADERS, stream, &head),
        frame(DATA, END_STREAM, stream, &request),
    ]
    .concat()
}

/// What the agent writes as an answer.
pub(crate) fn answered(stream: u32, response: &CheckResponse) -> Vec<u8> {
    answered_with(
        stream,
        &message(&response.encode_to_vec()),
        &[("grpc-status", "0")],
    )
}

pub(crate) fn answered_with(stream: u32, data: &[u8], trailers: &[(&str, &str)]) -> Vec<u8> {
    [
        frame(HEADERS, END_HEADERS, stream, &block(&[(":status", "200")])),
        frame(DATA, 0, stream, data),
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(trailers)),
    ]
    .concat()
}

pub(crate) fn denial(status: i32) -> CheckResponse {
    CheckResponse {
        status: Some(rpc::Status {
            code: 7,
            ..rpc::Status::default()
        }),
        http_response: Some(check_response::HttpResponse::DeniedResponse(
            DeniedHttpResponse {
                status: Some(HttpStatus { code: status }),
                body: "no".into(),
                ..DeniedHttpResponse::default()
            },
        )),
        ..CheckResponse::default()
    }
}

/// A tap of one connection.
pub(crate) struct Tap {
    pub(crate) connection: u64,
    pub(crate) stream: String,
    pub(crate) sequence: usize,
    events: u32,
}

impl Tap {
    /// A connection that has begun.
    pub(crate) fn begun(connection: u64) -> Self {
        let mut tap = Self::new(connection);
        tap.write(PREFACE);
        tap.write(&frame(SETTINGS, 0, 0, &[]));
        tap.read(&frame(SETTINGS, 0, 0, &[]));
        tap
    }

    pub(crate) fn new(connection: u64) -> Self {
        Self {
            connection,
            stream: String::new(),
            sequence: 1,
            events: 0,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.transfer("write", bytes);
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.transfer("read", bytes);
    }

    pub(crate) fn closed(&mut self) {
        self.sequence += 1;
        self.event("\"closed\": {}");
    }

    fn transfer(&mut self, name: &str, bytes: &[u8]) {
        let coded = STANDARD.encode(bytes);
        self.event(&format!(
            "\"{name}\": {{\n    \"data\": {{\n     \"as_bytes\": \"{coded}\",\n     \"truncated\": false\n    }}\n   }}"
        ));
        self.sequence += bytes.len();
    }

    fn event(&mut self, content: &str) {
        let (connection, sequence) = (self.connection, self.sequence);
        let (second, microsecond) = (self.events / 1_000_000 % 60, self.events % 1_000_000);
        self.events += 1;
        writeln!(
            self.stream,
            "{{\n \"socket_streamed_trace_segment\": {{\n  \"trace_id\": \"{connection}\",\n  \"event\": {{\n   \"timestamp\": \"2026-12-01T02:30:{second:02}.{microsecond:06}Z\",\n   {content},\n   \"seq_num\": \"{sequence}\"\n  }}\n }}\n}}"
        )
        .unwrap();
    }
}
