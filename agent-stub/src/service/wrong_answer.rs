//! Answers that say something else than was decided, on demand.

use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckResponse, DeniedHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use tonic::Code;

use crate::decision::{ALLOW_CODE, Verdict, allow, answer, set_header};
use crate::exchange::CheckedRequest;
use crate::inspect::Signal;
use crate::service::fault::WrongAnswer;
use crate::settings::ForwardedRequest;

/// Answers what was not decided, because the request asked for that.
pub(super) fn respond(
    wrong: WrongAnswer,
    request: &CheckedRequest,
    request_id: &str,
    signals: &[Signal],
    forwarded: &ForwardedRequest,
) -> CheckResponse {
    match wrong {
        WrongAnswer::CheckStatus(code) => CheckResponse {
            status: Some(rpc::Status {
                code,
                ..rpc::Status::default()
            }),
            ..CheckResponse::default()
        },
        WrongAnswer::DeniedStatus(code) => answer(
            Code::PermissionDenied,
            HttpResponse::DeniedResponse(DeniedHttpResponse {
                status: Some(HttpStatus { code }),
                body: "denied on demand\n".into(),
                ..DeniedHttpResponse::default()
            }),
        ),
        WrongAnswer::InvalidHeaderName => with_header(
            allow(request, request_id, signals, forwarded),
            set_header("x-bad name\n", "value"),
        ),
        WrongAnswer::InvalidHeaderValue => with_header(
            allow(request, request_id, signals, forwarded),
            set_header("x-bad-value", "one\r\nx-injected: two"),
        ),
    }
}

/// Returns what the proxy will make of a wrong answer, and the agent's response code for it.
pub(super) fn verdict_of(wrong: WrongAnswer) -> (Verdict, u16) {
    match wrong {
        WrongAnswer::CheckStatus(0)
        | WrongAnswer::InvalidHeaderName
        | WrongAnswer::InvalidHeaderValue => (Verdict::Allow, ALLOW_CODE),
        WrongAnswer::CheckStatus(_) => (Verdict::Block, DEFAULT_DENIAL),
        // The log knows blocking codes only; any other would say that the agent did not process the request.
        WrongAnswer::DeniedStatus(code) => (
            Verdict::Block,
            u16::try_from(code)
                .ok()
                .filter(|code| matches!(code, 301 | 302 | 400..=599))
                .unwrap_or(DEFAULT_DENIAL),
        ),
    }
}

fn with_header(mut response: CheckResponse, header: HeaderValueOption) -> CheckResponse {
    if let Some(HttpResponse::OkResponse(ok)) = &mut response.http_response {
        ok.headers.push(header);
    }
    response
}

// Envoy denies with this status where the answer names none.
const DEFAULT_DENIAL: u16 = 403;
