//! The record of one check, and how it comes from the messages.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{
    HeaderMap, HeaderValue, HeaderValueOption, address,
};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckRequest, CheckResponse, DeniedHttpResponse, attribute_context,
};
use harness_core::model::identity::REQUEST_ID_HEADER;
use jiff::Timestamp;
use prost::{DecodeError, Message as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The status of a denial that has none, or one of 0.
///
/// Source: `DeniedHttpResponse.status` in Envoy's documentation.
pub const DEFAULT_DENIAL: u16 = 403;

/// What passed between proxy and agent about one request.
///
/// A check that the proxy gives up has a record without an answer at that moment. When the agent answers all the same and the connection carries
/// it, a second record follows with the same fields and the answer: the last one counts.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WireRecord {
    /// The request's id, from the header fields that the agent was shown; empty where it was not among them.
    pub id: String,
    /// The proxy's own name for the request.
    pub proxy_request: String,
    /// When the proxy had written the whole check.
    #[schemars(with = "String")]
    pub asked_at: Timestamp,
    /// The method that the agent was shown.
    pub method: String,
    /// The path that the agent was shown.
    pub path: String,
    /// The host that the agent was shown.
    pub host: String,
    /// Whose request the proxy said it is; empty when it did not.
    pub peer_address: String,
    /// The header fields that the agent was shown, by name where the message has no order.
    pub headers: Vec<(String, String)>,
    /// How many bytes of the body the agent was shown.
    pub body_length: u64,
    /// Their SHA-256 in hexadecimal; empty for no body.
    pub body_sha256: String,
    /// The size of the request as the proxy said it: -1 for one that it did not know.
    pub size: i64,
    /// What the agent answered; none where the check was given up or the connection closed first.
    pub answer: Option<WireAnswer>,
}

/// What the agent answered to a check.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WireAnswer {
    /// When the proxy had read the whole answer with its trailers.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    pub verdict: WireVerdict,
    /// The header fields that it sets or appends: of the request when it is let through, of the denial otherwise.
    pub headers: Vec<(String, String)>,
    /// The names of the header fields that it takes from the request.
    pub removed: Vec<String>,
    /// How long the body of the denial is.
    pub body_length: u64,
}

/// What an answer says.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireVerdict {
    /// The request may pass.
    Allowed,
    /// The request must not pass.
    Denied {
        /// The status that the client is to get.
        status: u16,
    },
    /// The call failed: it has no answer but a gRPC status.
    Failed {
        /// The gRPC status; 0 for an end without a message.
        code: u32,
        /// What the agent or this reader says about it.
        message: String,
    },
    /// The answer cannot be understood.
    Undecodable {
        /// Why.
        reason: String,
    },
}

impl WireRecord {
    /// Reads a check request.
    pub(crate) fn read(message: &[u8], asked_at: Timestamp) -> Result<Self, DecodeError> {
        let attributes = CheckRequest::decode(message)?
            .attributes
            .unwrap_or_default();
        let http = attributes.request.and_then(|request| request.http);
        let http = http.unwrap_or_default();
        let headers = shown_headers(http.headers, http.header_map);
        let id = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(REQUEST_ID_HEADER));
        let body = if http.raw_body.is_empty() {
            http.body.as_bytes()
        } else {
            &http.raw_body
        };
        Ok(Self {
            id: id.map(|(_, value)| value.clone()).unwrap_or_default(),
            proxy_request: http.id,
            asked_at,
            method: http.method,
            path: http.path,
            host: http.host,
            peer_address: peer_address(attributes.source).unwrap_or_default(),
            headers,
            body_length: length(body),
            body_sha256: if body.is_empty() {
                String::new()
            } else {
                hex::encode(Sha256::digest(body))
            },
            size: http.size,
            answer: None,
        })
    }
}

impl WireAnswer {
    /// Reads a check response.
    pub(crate) fn read(message: &[u8], at: Timestamp) -> Self {
        let response = match CheckResponse::decode(message) {
            Ok(response) => response,
            Err(error) => return Self::undecodable(at, format!("no check response: {error}")),
        };
        let code = response.status.map_or(0, |status| status.code);
        match (code, response.http_response) {
            (0, Some(HttpResponse::OkResponse(allowed))) => Self {
                headers: set_headers(allowed.headers),
                removed: allowed.headers_to_remove,
                ..Self::bare(at, WireVerdict::Allowed)
            },
            // Envoy goes by the status; what else the answer has is not used then.
            (0, None | Some(HttpResponse::DeniedResponse(_) | HttpResponse::ErrorResponse(_))) => {
                Self::bare(at, WireVerdict::Allowed)
            }
            (_, Some(HttpResponse::DeniedResponse(denied))) => Self::denied(denied, at),
            (_, Some(HttpResponse::ErrorResponse(_))) => Self::undecodable(
                at,
                "an error response, which is neither a permission nor a denial".to_owned(),
            ),
            (_, None | Some(HttpResponse::OkResponse(_))) => Self::bare(
                at,
                WireVerdict::Denied {
                    status: DEFAULT_DENIAL,
                },
            ),
        }
    }

    /// An answer that cannot be understood.
    pub(crate) const fn undecodable(at: Timestamp, reason: String) -> Self {
        Self::bare(at, WireVerdict::Undecodable { reason })
    }

    /// A call that failed.
    pub(crate) const fn failed(at: Timestamp, code: u32, message: String) -> Self {
        Self::bare(at, WireVerdict::Failed { code, message })
    }

    fn denied(denied: DeniedHttpResponse, at: Timestamp) -> Self {
        let status = denied.status.map_or(0, |status| status.code);
        let verdict = match u16::try_from(status) {
            Ok(0) => WireVerdict::Denied {
                status: DEFAULT_DENIAL,
            },
            Ok(status) => WireVerdict::Denied { status },
            Err(_) => WireVerdict::Undecodable {
                reason: format!("a denial with the status {status}"),
            },
        };
        Self {
            headers: set_headers(denied.headers),
            body_length: length(denied.body.as_bytes()),
            ..Self::bare(at, verdict)
        }
    }

    const fn bare(at: Timestamp, verdict: WireVerdict) -> Self {
        Self {
            at,
            verdict,
            headers: Vec::new(),
            removed: Vec::new(),
            body_length: 0,
        }
    }
}

/// Returns what the agent was shown: `header_map` where the proxy sends raw fields, `headers` otherwise.
fn shown_headers(
    headers: HashMap<String, String>,
    header_map: Option<HeaderMap>,
) -> Vec<(String, String)> {
    if let Some(raw) = header_map {
        return raw.headers.into_iter().map(name_and_value).collect();
    }
    let mut headers = Vec::from_iter(headers);
    headers.sort_unstable();
    headers
}

fn set_headers(options: Vec<HeaderValueOption>) -> Vec<(String, String)> {
    let headers = options.into_iter().filter_map(|option| option.header);
    headers.map(name_and_value).collect()
}

fn name_and_value(header: HeaderValue) -> (String, String) {
    let value = if header.raw_value.is_empty() {
        header.value
    } else {
        String::from_utf8_lossy(&header.raw_value).into_owned()
    };
    (header.key, value)
}

fn peer_address(source: Option<attribute_context::Peer>) -> Option<String> {
    match source?.address?.address? {
        address::Address::SocketAddress(socket) => Some(socket.address),
        address::Address::Pipe(_) | address::Address::EnvoyInternalAddress(_) => None,
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
    use envoy_types::pb::envoy::service::auth::v3::OkHttpResponse;
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request};

    use super::*;

    fn raw(key: &str, value: &[u8]) -> HeaderValue {
        HeaderValue {
            key: key.into(),
            raw_value: value.into(),
            ..HeaderValue::default()
        }
    }

    #[test]
    fn raw_header_fields_and_a_raw_body_are_read() {
        let http = HttpRequest {
            header_map: Some(HeaderMap {
                headers: vec![
                    raw("b", b"\xff"),
                    raw("X-Conformance-Id", b"id"),
                    raw("a", b""),
                ],
            }),
            raw_body: b"\xff".into(),
            size: 1,
            ..HttpRequest::default()
        };
        let request = CheckRequest {
            attributes: Some(AttributeContext {
                request: Some(Request {
                    http: Some(http),
                    ..Request::default()
                }),
                ..AttributeContext::default()
            }),
        };
        let record = WireRecord::read(&request.encode_to_vec(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(record.id, "id");
        assert_eq!(record.headers[0], ("b".into(), "\u{fffd}".into()));
        assert_eq!(record.headers[2], ("a".into(), String::new()));
        assert_eq!((record.body_length, record.size), (1, 1));
        assert_eq!(record.body_sha256.len(), 64);
        assert_eq!(record.peer_address, "");
    }

    #[test]
    fn a_permission_sets_and_removes() {
        let response = CheckResponse {
            http_response: Some(HttpResponse::OkResponse(OkHttpResponse {
                headers: vec![HeaderValueOption {
                    header: Some(raw("x", b"1")),
                    ..HeaderValueOption::default()
                }],
                headers_to_remove: vec!["y".into()],
                ..OkHttpResponse::default()
            })),
            ..CheckResponse::default()
        };
        let answer = WireAnswer::read(&response.encode_to_vec(), Timestamp::UNIX_EPOCH);
        assert_eq!(answer.verdict, WireVerdict::Allowed);
        assert_eq!(answer.headers, [("x".into(), "1".into())]);
        assert_eq!(answer.removed, ["y"]);
    }

    #[test]
    fn a_record_survives_its_own_format() {
        let answer = WireAnswer::failed(Timestamp::UNIX_EPOCH, 14, "no".into());
        let record = WireRecord {
            answer: Some(answer),
            ..WireRecord::read(&[], Timestamp::UNIX_EPOCH).unwrap()
        };
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.contains(r#""verdict":{"failed":{"code":14,"message":"no"}}"#));
        assert_eq!(serde_json::from_str::<WireRecord>(&text).unwrap(), record);
    }
}
