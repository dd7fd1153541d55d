//! Encoded Checks as Envoy sends them for the requests of a browser.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress, address};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

/// What differs between the requests of two classes.
#[derive(Clone, Debug, Default)]
pub(super) struct Difference {
    pub(super) target: String,
    pub(super) user_agent: Option<&'static str>,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

/// Encodes the Check of a request.
pub(super) fn encoded(request: Difference) -> Vec<u8> {
    let method = if request.content_type.is_some() {
        "POST"
    } else {
        "GET"
    };
    let own = [
        (":method", method),
        (":path", request.target.as_str()),
        ("user-agent", request.user_agent.unwrap_or(BROWSER)),
    ];
    let content_type = request.content_type.map(|kind| ("content-type", kind));
    let mut http = HttpRequest {
        id: "4711".into(),
        method: method.into(),
        path: request.target.clone(),
        host: HOST.into(),
        scheme: "https".into(),
        protocol: "HTTP/2".into(),
        size: i64::try_from(request.body.len()).expect("short"),
        raw_body: request.body,
        ..HttpRequest::default()
    }
    .encode_to_vec();
    let headers = COMMON.iter().chain(&own).chain(&request.headers);
    for (name, value) in headers.chain(content_type.iter()) {
        http.extend(header(name, value));
    }
    let mut attributes = AttributeContext {
        source: Some(peer("192.0.2.17", 41_234)),
        destination: Some(peer("198.51.100.4", 8443)),
        ..AttributeContext::default()
    }
    .encode_to_vec();
    attributes.extend(field(REQUEST, &field(HTTP, &http)));
    field(ATTRIBUTES, &attributes)
}

// A map has another order in each process, and what its order costs would be counted with the rest. Messages of one header each make one message.
fn header(name: &str, value: &str) -> Vec<u8> {
    HttpRequest {
        headers: HashMap::from([(name.into(), value.into())]),
        ..HttpRequest::default()
    }
    .encode_to_vec()
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut encoded);
    encode_varint(content.len() as u64, &mut encoded);
    encoded.extend(content);
    encoded
}

fn peer(host: &str, port: u32) -> Peer {
    let socket = SocketAddress {
        address: host.into(),
        port_specifier: Some(PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Peer {
        address: Some(Address {
            address: Some(address::Address::SocketAddress(socket)),
        }),
        ..Peer::default()
    }
}

// The numbers of fields: of `CheckRequest`, of its attributes, and of their request.
const ATTRIBUTES: u32 = 1;
const REQUEST: u32 = 4;
const HTTP: u32 = 2;
const HOST: &str = "shop.example.com";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const COMMON: &[(&str, &str)] = &[
    (":authority", HOST),
    (":scheme", "https"),
    ("accept", "text/html,application/json;q=0.9,*/*;q=0.8"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("cookie", "session=4f1c9a7e2b6d4c08; theme=dark; cart=3"),
    ("referer", "https://shop.example.com/catalogue/shoes?page=2"),
    ("x-forwarded-for", "192.0.2.17"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "6f0d3a52-9c0e-4f4e-8f3a-0d6c2b7a91e5"),
];
