//! The verdict on a request, and the answer that carries it to Envoy.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption, QueryParameter};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::pb::google::rpc;
use tonic::Code;

use crate::exchange::CheckedRequest;
use crate::inspect::{Signal, SignalClass};
use crate::settings::{BlockAnswer, ForwardedRequest, HeaderSetting, Mode};
use crate::threshold::Standing;

/// The request header that carries the agent's id to the upstream and back through the access log.
pub const REQUEST_ID_HEADER: &str = "x-sigsci-request-id";
/// The request header that carries the agent's response code.
pub const WAF_RESPONSE_HEADER: &str = "x-sigsci-waf-response";
/// The request header that carries the tags of a request that was let through.
pub const TAGS_HEADER: &str = "x-sigsci-tags";
pub(crate) const OWN_PREFIX: &str = "x-sigsci-";
pub(crate) const ALLOW_CODE: u16 = 200;

/// What is done with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It goes on.
    Allow,
    /// It is answered in the upstream's place.
    Block,
}

impl Verdict {
    /// Decides whether signals block: attacks do, in the mode that blocks, when their sender is flagged.
    pub fn of(mode: Mode, standing: Standing, signals: &[Signal]) -> Self {
        let is_attack = signals
            .iter()
            .any(|signal| signal.kind.class() == SignalClass::Attack);
        match (mode, standing) {
            (Mode::Block, Standing::Flagged) if is_attack => Self::Block,
            (Mode::Block | Mode::Log | Mode::Off, Standing::Flagged | Standing::Unflagged) => {
                Self::Allow
            }
        }
    }

    /// Returns the agent's response code.
    pub const fn code(self, block_answer: &BlockAnswer) -> u16 {
        match self {
            Self::Allow => ALLOW_CODE,
            Self::Block => block_answer.code,
        }
    }
}

/// Makes request ids: 24 hexadecimal digits that cannot be guessed or repeated.
#[derive(Debug, Default)]
pub struct RequestIds {
    // The standard library's keyed hash, seeded by the system: no read of a device that a sandbox may lack.
    keys: [RandomState; 2],
    count: AtomicU64,
}

impl RequestIds {
    /// Makes the next id.
    pub fn next(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = [self.keys[0].hash_one(number), self.keys[1].hash_one(number)];
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes()[..4]);
        hex::encode(bytes)
    }
}

/// Lets the request go on, with the agent's headers set over whatever the client forged.
pub fn allow(
    request: &CheckedRequest,
    request_id: &str,
    signals: &[Signal],
    forwarded: &ForwardedRequest,
) -> CheckResponse {
    let tags = tag_list(signals);
    let fill = |setting: &HeaderSetting| {
        setting
            .value
            .replace("$AgentResponse", &ALLOW_CODE.to_string())
            .replace("$RequestID", request_id)
            .replace("$TagList", &tags)
    };
    let mut headers = vec![
        set_header(REQUEST_ID_HEADER, request_id),
        set_header(WAF_RESPONSE_HEADER, &ALLOW_CODE.to_string()),
    ];
    if !tags.is_empty() {
        headers.push(set_header(TAGS_HEADER, &tags));
    }
    headers.extend(
        forwarded
            .set_headers
            .iter()
            .map(|header| set_header(&header.name, &fill(header))),
    );
    headers.extend(
        forwarded
            .append_headers
            .iter()
            .map(|header| append_header(&header.name, &fill(header))),
    );
    let headers_to_remove = headers_to_remove(request, &headers, forwarded);
    answer(
        Code::Ok,
        HttpResponse::OkResponse(OkHttpResponse {
            headers,
            headers_to_remove,
            query_parameters_to_set: forwarded
                .set_query
                .iter()
                .map(|parameter| QueryParameter {
                    key: parameter.name.clone(),
                    value: fill(parameter),
                })
                .collect(),
            query_parameters_to_remove: forwarded.remove_query.clone(),
            ..OkHttpResponse::default()
        }),
    )
}

/// Answers the request in the upstream's place. None of the agent's own headers reach the client.
pub fn block(block_answer: &BlockAnswer) -> CheckResponse {
    let mut headers = vec![set_header("content-type", &block_answer.content_type)];
    headers.extend(
        block_answer
            .location
            .iter()
            .map(|location| set_header("location", location)),
    );
    answer(
        Code::PermissionDenied,
        HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus {
                code: i32::from(block_answer.code),
            }),
            headers,
            body: block_answer.body.clone(),
        }),
    )
}

pub(crate) fn answer(code: Code, http_response: HttpResponse) -> CheckResponse {
    CheckResponse {
        status: Some(rpc::Status {
            code: code.into(),
            ..rpc::Status::default()
        }),
        http_response: Some(http_response),
        ..CheckResponse::default()
    }
}

/// Joins the names of the signals, each once.
fn tag_list(signals: &[Signal]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for signal in signals {
        if !names.contains(&signal.kind.as_str()) {
            names.push(signal.kind.as_str());
        }
    }
    names.join(", ")
}

// Envoy removes after it sets, so a header that is set must not be named here.
fn headers_to_remove(
    request: &CheckedRequest,
    set: &[HeaderValueOption],
    forwarded: &ForwardedRequest,
) -> Vec<String> {
    let is_set = |name: &str| {
        set.iter()
            .filter_map(|option| option.header.as_ref())
            .any(|header| header.key.eq_ignore_ascii_case(name))
    };
    let forged = request
        .headers
        .iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with(OWN_PREFIX));
    let mut names: Vec<String> = forged
        .chain(&forwarded.remove_headers)
        .filter(|name| !is_set(name))
        .cloned()
        .collect();
    names.sort();
    names.dedup();
    names
}

pub(crate) fn set_header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(header_value(name, value)),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

#[expect(
    deprecated,
    reason = "Envoy's authorization filter appends only where the older field says so"
)]
pub(crate) fn append_header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(header_value(name, value)),
        append: Some(BoolValue { value: true }),
        append_action: HeaderAppendAction::AppendIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn header_value(name: &str, value: &str) -> HeaderValue {
    HeaderValue {
        key: name.into(),
        value: value.into(),
        ..HeaderValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_24_lower_case_hexadecimal_digits_and_differ() {
        let ids = RequestIds::default();
        let made: std::collections::HashSet<String> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            let is_shaped = id.len() == 24
                && id
                    .bytes()
                    .all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
            assert!(is_shaped, "{id}");
        }
    }
}
