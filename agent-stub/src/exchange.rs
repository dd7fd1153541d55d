//! One request as Envoy's check described it: the parts that are inspected and logged.

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, address, socket_address};
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, attribute_context};

/// The request behind one check.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CheckedRequest {
    /// The method.
    pub method: String,
    /// The raw request target: path and query, not decoded.
    pub target: String,
    /// The scheme.
    pub scheme: String,
    /// The HTTP version, as Envoy writes it.
    pub protocol: String,
    /// The authority.
    pub host: String,
    /// The headers in name order, names lower-case.
    pub headers: Vec<(String, String)>,
    /// The body bytes that Envoy sent along; they may be cut short.
    pub body: Vec<u8>,
    /// The address of Envoy's peer.
    pub peer_address: String,
    /// Its port; 0 where it has none.
    pub peer_port: u32,
}

/// Why a check describes no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoRequestError {
    /// The check has no attributes.
    #[error("the check has no attributes")]
    Attributes,
    /// The attributes have no request.
    #[error("the attributes have no request")]
    Request,
    /// The request is not HTTP.
    #[error("the request has no http part")]
    Http,
}

impl CheckedRequest {
    /// Returns the path: the target up to its query.
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// Returns the query, if the target has one.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Returns the value of the first header with this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }
}

impl TryFrom<CheckRequest> for CheckedRequest {
    type Error = NoRequestError;

    fn try_from(check: CheckRequest) -> Result<Self, Self::Error> {
        let attributes = check.attributes.ok_or(NoRequestError::Attributes)?;
        let (peer_address, peer_port) = attributes.source.map(peer).unwrap_or_default();
        let http = attributes
            .request
            .ok_or(NoRequestError::Request)?
            .http
            .ok_or(NoRequestError::Http)?;
        let mut headers: Vec<(String, String)> = http
            .headers
            .into_iter()
            .map(|(mut name, value)| {
                name.make_ascii_lowercase();
                (name, value)
            })
            .collect();
        headers.sort_unstable();
        if let Some(map) = http.header_map {
            headers.extend(raw_headers(map));
            // The copies of a header stay in their order.
            headers.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        let body = if http.raw_body.is_empty() {
            http.body.into_bytes()
        } else {
            http.raw_body
        };
        Ok(Self {
            method: http.method,
            target: http.path,
            scheme: http.scheme,
            protocol: http.protocol,
            host: http.host,
            headers,
            body,
            peer_address,
            peer_port,
        })
    }
}

fn peer(peer: attribute_context::Peer) -> (String, u32) {
    match peer.address.and_then(|address| address.address) {
        Some(address::Address::SocketAddress(socket)) => match socket.port_specifier {
            Some(socket_address::PortSpecifier::PortValue(port)) => (socket.address, port),
            Some(socket_address::PortSpecifier::NamedPort(_)) | None => (socket.address, 0),
        },
        Some(address::Address::Pipe(pipe)) => (pipe.path, 0),
        Some(address::Address::EnvoyInternalAddress(_)) | None => (String::new(), 0),
    }
}

// With `encode_raw_headers` Envoy fills this list in place of the map.
fn raw_headers(map: HeaderMap) -> impl Iterator<Item = (String, String)> {
    map.headers.into_iter().map(|header| {
        let value = if header.raw_value.is_empty() {
            header.value
        } else {
            String::from_utf8_lossy(&header.raw_value).into_owned()
        };
        (header.key.to_ascii_lowercase(), value)
    })
}
