//! Makes the bytes of a check from what a scenario says of it.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{
    Address, HeaderMap, HeaderValue, Metadata, SocketAddress, address, socket_address,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{
    HttpRequest, Peer, Request, TlsSession,
};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use envoy_types::pb::google::protobuf::Timestamp;
use prost::Message;

use crate::procedure::contract::{
    AttributeExtent, BodyExtent, BodyForm, CheckSpec, HeaderForm, MissingPart, UnknownFields,
};
use harness_core::model::digest::sha256;
use harness_core::model::identity::{REQUEST_ID_HEADER, RequestId};
use harness_core::model::request::{RequestSpecError, parse_header};

/// The client's address where a scenario names none: reserved for documentation (RFC 5737).
const DEFAULT_SOURCE: &str = "192.0.2.10";
/// How often the length of a filled message is adjusted: its own lengths grow with it, by a few bytes.
const ADJUSTMENTS: usize = 8;
/// A varint, a text and a fixed number under field numbers that the protocol does not use.
const UNKNOWN_FIELDS: &[u8] = b"\xc0\x3e\x07\xca\x3e\x07unknown\xd5\x3e\x01\x02\x03\x04";

/// A check as it is sent.
#[derive(Clone, Debug)]
pub(super) struct CheckMessage {
    /// The message.
    pub(super) bytes: Vec<u8>,
    /// The method.
    pub(super) method: String,
    /// The path with its query.
    pub(super) path: String,
    /// Envoy's own id for the request.
    pub(super) proxy_request_id: String,
    /// Whether the agent can read the request's id.
    pub(super) identification: Identification,
}

/// Whether the agent can read the id of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Identification {
    /// It has headers, and the id in them.
    Identified,
    /// It has no headers.
    Nameless,
}

impl CheckMessage {
    /// Makes the message.
    pub(super) fn new(spec: &CheckSpec, id: &RequestId) -> Result<Self, RequestSpecError> {
        let proxy_request_id = uuid_of(id);
        let body = spec.body.as_ref().map(|body| body.bytes()).transpose()?;
        let path = match (&spec.path, &spec.path_filled) {
            (_, Some(filled)) => String::from_utf8_lossy(&filled.bytes()?).into_owned(),
            (Some(path), None) => path.value.clone(),
            (None, None) => "/".into(),
        };
        let has_body = body.is_some() || spec.message_length.is_some();
        let method = match (&spec.method, has_body) {
            (Some(method), _) => method.value.clone(),
            (None, true) => "POST".into(),
            (None, false) => "GET".into(),
        };
        let draft = Draft {
            spec,
            id,
            proxy_request_id: &proxy_request_id,
            method: &method,
            path: &path,
        };
        let bytes = draft.filled(body)?;
        let identification = if spec.missing.is_some() || spec.header_form == HeaderForm::Neither {
            Identification::Nameless
        } else {
            Identification::Identified
        };
        Ok(Self {
            bytes,
            method,
            path,
            proxy_request_id,
            identification,
        })
    }
}

/// What a message is made of.
#[derive(Clone, Copy)]
struct Draft<'a> {
    spec: &'a CheckSpec,
    id: &'a RequestId,
    proxy_request_id: &'a str,
    method: &'a str,
    path: &'a str,
}

impl Draft<'_> {
    /// Returns the message, filled up to its length where it has one.
    fn filled(self, body: Option<Vec<u8>>) -> Result<Vec<u8>, RequestSpecError> {
        let Some(length) = &self.spec.message_length else {
            return self.bytes(body);
        };
        let wanted = usize::try_from(length.value).unwrap_or(usize::MAX);
        let rest = body.unwrap_or_default();
        let mut filler: usize = 0;
        for _ in 0..ADJUSTMENTS {
            let mut body = b"filler=".to_vec();
            body.resize(body.len() + filler, b'a');
            body.push(b'&');
            body.extend_from_slice(&rest);
            let bytes = self.bytes(Some(body))?;
            if bytes.len() == wanted {
                return Ok(bytes);
            }
            filler = (filler + wanted).saturating_sub(bytes.len());
        }
        Err(RequestSpecError::Combination {
            fault: "no message has exactly this length; change it by a few bytes",
        })
    }

    fn bytes(self, body: Option<Vec<u8>>) -> Result<Vec<u8>, RequestSpecError> {
        let check = match self.spec.missing.as_ref().map(|missing| missing.value) {
            Some(MissingPart::Attributes) => CheckRequest::default(),
            Some(MissingPart::Request) => self.check(None),
            Some(MissingPart::Http) => self.check(Some(Request {
                time: Some(now()),
                http: None,
            })),
            None => {
                let http = self.http(body)?;
                let time = match self.spec.attributes {
                    AttributeExtent::Minimal => None,
                    AttributeExtent::Usual | AttributeExtent::Maximal => Some(now()),
                };
                self.check(Some(Request {
                    time,
                    http: Some(http),
                }))
            }
        };
        let mut bytes = check.encode_to_vec();
        match self.spec.unknown_fields {
            UnknownFields::Absent => {}
            UnknownFields::Appended => {
                bytes.extend_from_slice(UNKNOWN_FIELDS);
                // A message field that comes again is merged: this puts unknown fields into the attributes.
                bytes.push(0x0a);
                bytes.push(u8::try_from(UNKNOWN_FIELDS.len()).expect("it is short"));
                bytes.extend_from_slice(UNKNOWN_FIELDS);
            }
        }
        Ok(bytes)
    }

    fn check(self, request: Option<Request>) -> CheckRequest {
        let attributes = match self.spec.attributes {
            AttributeExtent::Minimal => AttributeContext {
                request,
                ..AttributeContext::default()
            },
            AttributeExtent::Usual => AttributeContext {
                source: Some(peer(self.source(), 41_234)),
                destination: Some(peer("127.0.0.1", 8_000)),
                request,
                metadata_context: Some(Metadata::default()),
                route_metadata_context: Some(Metadata::default()),
                ..AttributeContext::default()
            },
            AttributeExtent::Maximal => AttributeContext {
                source: Some(Peer {
                    service: "client".into(),
                    labels: HashMap::from([("app".into(), "client".into())]),
                    principal: "spiffe://example.test/client".into(),
                    certificate: "-----BEGIN%20CERTIFICATE-----%0A".repeat(100),
                    ..peer(self.source(), 41_234)
                }),
                destination: Some(Peer {
                    service: "application".into(),
                    labels: HashMap::from([("app".into(), "application".into())]),
                    principal: "spiffe://example.test/application".into(),
                    ..peer("127.0.0.1", 8_000)
                }),
                request,
                context_extensions: (0..50)
                    .map(|number| (format!("extension-{number}"), "value".repeat(20)))
                    .collect(),
                metadata_context: Some(Metadata::default()),
                route_metadata_context: Some(Metadata::default()),
                tls_session: Some(TlsSession {
                    sni: "application.example.test".into(),
                }),
            },
        };
        CheckRequest {
            attributes: Some(attributes),
        }
    }

    fn http(self, body: Option<Vec<u8>>) -> Result<HttpRequest, RequestSpecError> {
        let spec = self.spec;
        let length = body.as_ref().map(Vec::len);
        let fields = self.fields(length)?;
        let mut http = HttpRequest {
            method: self.method.into(),
            path: self.path.into(),
            ..HttpRequest::default()
        };
        match spec.header_form {
            HeaderForm::Both => {
                http.header_map = Some(list(&fields));
                http.headers = map(fields);
            }
            HeaderForm::List => http.header_map = Some(list(&fields)),
            HeaderForm::Map => http.headers = map(fields),
            HeaderForm::Neither => {}
        }
        let body = body.unwrap_or_default();
        match spec.body_form {
            BodyForm::Bytes => http.raw_body = body,
            BodyForm::Text => http.body = String::from_utf8_lossy(&body).into_owned(),
        }
        match spec.attributes {
            AttributeExtent::Minimal => {}
            AttributeExtent::Usual | AttributeExtent::Maximal => {
                http.id = "1234567890123456789".into();
                http.host = "application.example.test".into();
                http.scheme = "http".into();
                http.protocol = "HTTP/1.1".into();
                http.size = spec.size.unwrap_or_else(|| {
                    length.map_or(-1, |length| i64::try_from(length).unwrap_or(i64::MAX))
                });
            }
        }
        Ok(http)
    }

    /// Lists the header fields as Envoy does: in lower case, with those of HTTP/2 that start with a colon.
    fn fields(self, body_length: Option<usize>) -> Result<Vec<(String, String)>, RequestSpecError> {
        let spec = self.spec;
        let mut fields = vec![(REQUEST_ID_HEADER.to_owned(), self.id.as_str().to_owned())];
        match spec.attributes {
            AttributeExtent::Minimal => {}
            AttributeExtent::Usual | AttributeExtent::Maximal => {
                let mut add = |name: &str, value: &str| fields.push((name.into(), value.into()));
                add(":authority", "application.example.test");
                add(":method", self.method);
                add(":path", self.path);
                add(":scheme", "http");
                add("x-forwarded-for", self.source());
                add("x-forwarded-proto", "http");
                add("x-request-id", self.proxy_request_id);
                add("user-agent", "conformance");
                if let Some(length) = body_length {
                    add("content-length", &length.to_string());
                }
            }
        }
        for field in &spec.headers {
            let (name, value) = parse_header(field)?;
            fields.push((name.to_ascii_lowercase(), value));
        }
        for number in 0..spec
            .numbered_headers
            .as_ref()
            .map_or(0, |count| count.value)
        {
            fields.push((format!("x-numbered-{number}"), number.to_string()));
        }
        if let Some(extent) = spec.body_extent {
            let partial = match extent {
                BodyExtent::Part => "true",
                BodyExtent::Whole => "false",
            };
            fields.push(("x-envoy-auth-partial-body".into(), partial.into()));
        }
        Ok(fields)
    }

    fn source(&self) -> &str {
        self.spec
            .source_address
            .as_ref()
            .map_or(DEFAULT_SOURCE, |address| address.as_str())
    }
}

/// Returns fields of one name as one, with commas between their values, as Envoy does for `headers`.
fn map(fields: Vec<(String, String)>) -> HashMap<String, String> {
    let mut map: HashMap<String, String> = HashMap::new();
    for (name, value) in fields {
        map.entry(name)
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    map
}

fn list(fields: &[(String, String)]) -> HeaderMap {
    HeaderMap {
        headers: fields
            .iter()
            .map(|(name, value)| HeaderValue {
                key: name.clone(),
                raw_value: value.clone().into_bytes(),
                ..HeaderValue::default()
            })
            .collect(),
    }
}

fn peer(ip: &str, port: u32) -> Peer {
    Peer {
        address: Some(Address {
            address: Some(address::Address::SocketAddress(SocketAddress {
                address: ip.into(),
                port_specifier: Some(socket_address::PortSpecifier::PortValue(port)),
                ..SocketAddress::default()
            })),
        }),
        ..Peer::default()
    }
}

/// Returns the id in the form of Envoy's own: a UUID.
fn uuid_of(id: &RequestId) -> String {
    let digest = sha256(id.as_str().as_bytes());
    [
        &digest[..8],
        &digest[8..12],
        &digest[12..16],
        &digest[16..20],
        &digest[20..32],
    ]
    .join("-")
}

fn now() -> Timestamp {
    Timestamp {
        seconds: jiff::Timestamp::now().as_second(),
        nanos: 0,
    }
}

#[cfg(test)]
#[path = "check_message_tests.rs"]
mod tests;
