//! The client's collected records about a call, read: what the agent's answer says in the terms of its protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsResponse;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use prost::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tonic_health::pb::HealthCheckResponse;
use tonic_health::pb::health_check_response::ServingStatus;

use harness_core::model::call_expectation::CallOutcome;
use harness_traffic::contract::record::{CallEnd, CallRecord, CallResult, StatusGiver};
use harness_traffic::escape::escape;

/// The HTTP status of a denial that names none.
///
/// Source: Envoy's `DeniedHttpResponse`: "If this field is not set or set to 0, 403 is used".
const DEFAULT_DENIED_STATUS: i32 = 403;

/// Which service a call went to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// Envoy's access-log service.
    AccessLog,
    /// Envoy's authorization service.
    Check,
    /// gRPC's health service.
    Health,
}

impl CallKind {
    /// Returns the path of the method that is called.
    pub const fn method(self) -> &'static str {
        match self {
            Self::AccessLog => "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
            Self::Check => "/envoy.service.auth.v3.Authorization/Check",
            Self::Health => "/grpc.health.v1.Health/Check",
        }
    }
}

/// What an answer says.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallAnswer {
    /// What the call came to.
    pub outcome: CallOutcome,
    /// The status of gRPC, where there is one.
    pub grpc_status: Option<u32>,
    /// The HTTP status that the client is to be given.
    pub denied_status: Option<i32>,
    /// The header fields that a check's answer sets, in order; what is not printable ASCII is escaped.
    pub headers: Vec<(String, String)>,
    /// What explains the outcome.
    pub detail: String,
}

impl CallAnswer {
    /// Reads what became of a call.
    pub fn read(kind: CallKind, record: &CallRecord) -> Self {
        match &record.result {
            CallResult::Ended(end) => Self::of_end(kind, end),
            CallResult::Lost { detail } => Self::without_status(CallOutcome::Lost, detail),
            CallResult::Malformed { detail } => {
                Self::without_status(CallOutcome::Malformed, detail)
            }
            CallResult::NoConnection { detail } => {
                Self::without_status(CallOutcome::NoConnection, detail)
            }
        }
    }

    /// Returns the values of a header, in order, matched without regard to case.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn without_status(outcome: CallOutcome, detail: &str) -> Self {
        Self {
            outcome,
            grpc_status: None,
            denied_status: None,
            headers: Vec::new(),
            detail: detail.into(),
        }
    }

    fn of_end(kind: CallKind, end: &CallEnd) -> Self {
        if end.status != 0 {
            let giver = match end.given_by {
                StatusGiver::Deadline => "cancelled by the client at its deadline",
                StatusGiver::Server => "given by the agent",
            };
            return Self {
                grpc_status: Some(end.status),
                ..Self::without_status(
                    CallOutcome::Failed,
                    &format!("gRPC status {}, {giver}: {}", end.status, end.message),
                )
            };
        }
        let read = match (kind, end.messages_base64.as_slice()) {
            (CallKind::AccessLog, []) => {
                // The service answers at most once, and Envoy does not read it.
                Some(Self::without_status(CallOutcome::Accepted, ""))
            }
            (CallKind::AccessLog, [answer]) => decode::<StreamAccessLogsResponse>(answer)
                .map(|_| Self::without_status(CallOutcome::Accepted, "")),
            (CallKind::Check, [answer]) => decode::<CheckResponse>(answer).map(Self::of_check),
            (CallKind::Health, [answer]) => {
                decode::<HealthCheckResponse>(answer).map(Self::of_health)
            }
            (CallKind::AccessLog | CallKind::Check | CallKind::Health, _) => None,
        };
        let read = read.unwrap_or_else(|| {
            let count = end.messages_base64.len();
            Self::without_status(
                CallOutcome::Malformed,
                &format!("{count} messages that are no answer of the service"),
            )
        });
        Self {
            grpc_status: Some(0),
            ..read
        }
    }

    fn of_check(response: CheckResponse) -> Self {
        let code = response.status.map_or(0, |status| status.code);
        let (denied_status, fields) = match response.http_response {
            Some(HttpResponse::DeniedResponse(denied)) => (
                denied
                    .status
                    .map(|status| status.code)
                    .filter(|status| *status != 0),
                denied.headers,
            ),
            Some(HttpResponse::OkResponse(ok)) => (None, ok.headers),
            Some(_) | None => (None, Vec::new()),
        };
        let (outcome, denied_status) = if code == 0 {
            (CallOutcome::Allowed, None)
        } else {
            (
                CallOutcome::Blocked,
                Some(denied_status.unwrap_or(DEFAULT_DENIED_STATUS)),
            )
        };
        Self {
            denied_status,
            headers: fields.into_iter().filter_map(header).collect(),
            ..Self::without_status(outcome, &format!("the answer's own status is {code}"))
        }
    }

    fn of_health(response: HealthCheckResponse) -> Self {
        match ServingStatus::try_from(response.status) {
            Ok(ServingStatus::Serving) => Self::without_status(CallOutcome::Serving, ""),
            Ok(ServingStatus::NotServing) => Self::without_status(CallOutcome::NotServing, ""),
            Ok(ServingStatus::Unknown | ServingStatus::ServiceUnknown) | Err(_) => {
                Self::without_status(
                    CallOutcome::Malformed,
                    &format!("the serving status {}", response.status),
                )
            }
        }
    }
}

fn header(option: HeaderValueOption) -> Option<(String, String)> {
    let header = option.header?;
    let value = if header.raw_value.is_empty() {
        header.value.into_bytes()
    } else {
        header.raw_value
    };
    Some((escape(header.key.as_bytes()), escape(&value)))
}

fn decode<T: Message + Default>(base64: &str) -> Option<T> {
    T::decode(STANDARD.decode(base64).ok()?.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::DeniedHttpResponse;
    use envoy_types::pb::google::rpc;
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;

    fn record(result: CallResult) -> CallRecord {
        CallRecord {
            id: "a.b.0.r".into(),
            connection: "c".into(),
            started_at: Timestamp::UNIX_EPOCH,
            elapsed_microseconds: 1,
            result,
        }
    }

    fn ended(status: u32, messages: &[Vec<u8>]) -> CallRecord {
        record(CallResult::Ended(CallEnd {
            status,
            given_by: StatusGiver::Server,
            message: String::new(),
            messages_base64: messages
                .iter()
                .map(|bytes| STANDARD.encode(bytes))
                .collect(),
        }))
    }

    #[test]
    fn a_check_that_is_answered_with_nothing_is_allowed_as_envoy_reads_it() {
        let answer = CallAnswer::read(CallKind::Check, &ended(0, &[Vec::new()]));
        assert_eq!(answer.outcome, CallOutcome::Allowed);
        assert!(answer.headers.is_empty());
    }

    #[test]
    fn a_denial_without_a_status_is_a_403() {
        let response = CheckResponse {
            status: Some(rpc::Status {
                code: 7,
                ..rpc::Status::default()
            }),
            http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse::default())),
            ..CheckResponse::default()
        };
        let answer = CallAnswer::read(CallKind::Check, &ended(0, &[response.encode_to_vec()]));
        assert_eq!(answer.outcome, CallOutcome::Blocked);
        assert_eq!(answer.denied_status, Some(403));
    }

    #[rstest]
    #[case::no_message(CallKind::Check, &[])]
    #[case::two_messages(CallKind::Check, &[vec![], vec![]])]
    #[case::no_protobuf(CallKind::Check, &[vec![0xff]])]
    #[case::no_health(CallKind::Health, &[vec![8, 77]])]
    fn what_is_no_answer_of_the_service_is_malformed(
        #[case] kind: CallKind,
        #[case] messages: &[Vec<u8>],
    ) {
        let answer = CallAnswer::read(kind, &ended(0, messages));
        assert_eq!(answer.outcome, CallOutcome::Malformed);
    }

    #[rstest]
    #[case(CallKind::AccessLog, &[], CallOutcome::Accepted)]
    #[case(CallKind::Health, &[vec![8, 1]], CallOutcome::Serving)]
    #[case(CallKind::Health, &[vec![8, 2]], CallOutcome::NotServing)]
    fn answers_are_read_by_their_service(
        #[case] kind: CallKind,
        #[case] messages: &[Vec<u8>],
        #[case] outcome: CallOutcome,
    ) {
        assert_eq!(CallAnswer::read(kind, &ended(0, messages)).outcome, outcome);
    }

    #[test]
    fn a_status_other_than_ok_is_a_failure_with_its_code() {
        let answer = CallAnswer::read(CallKind::Check, &ended(8, &[]));
        assert_eq!(answer.outcome, CallOutcome::Failed);
        assert_eq!(answer.grpc_status, Some(8));
    }
}
