//! Calls as they are planned: each with its id and what its judgement needs to know of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use tonic_health::pb::HealthCheckRequest;

use super::check_message::{CheckMessage, Identification};
use crate::procedure::contract::{CheckSpec, ContractConnection, HealthSpec};
use harness_core::model::identity::RequestId;
use harness_core::model::request::RequestSpecError;
use harness_traffic::contract::plan::PlannedCall;
use harness_verdict::witness::call::CallKind;

/// One call of a case.
#[derive(Clone, Debug)]
pub(super) struct SentCall {
    /// The id.
    pub(super) id: RequestId,
    /// The case.
    pub(super) case: String,
    /// How the agent is reached.
    pub(super) connection: ContractConnection,
    /// The service.
    pub(super) kind: CallKind,
    /// Whether the agent can read the id.
    pub(super) identification: Identification,
    /// The method of the request that is checked.
    pub(super) method: String,
    /// The path of the request that is checked, with its query.
    pub(super) path: String,
    /// Envoy's own id for the request that is checked.
    pub(super) proxy_request_id: String,
    /// What the driver is told.
    pub(super) planned: PlannedCall,
}

impl SentCall {
    /// Plans a check.
    pub(super) fn check(
        spec: &CheckSpec,
        case: &str,
        id: RequestId,
        connection: ContractConnection,
    ) -> Result<Self, RequestSpecError> {
        let message = CheckMessage::new(spec, &id)?;
        let deadline = spec
            .deadline
            .as_ref()
            .map(|deadline| u64::try_from(deadline.as_duration().as_millis()).unwrap_or(u64::MAX));
        Ok(Self {
            planned: PlannedCall {
                deadline_milliseconds: deadline,
                ..planned(&id, CallKind::Check, &[message.bytes])
            },
            id,
            case: case.into(),
            connection,
            kind: CallKind::Check,
            identification: message.identification,
            method: message.method,
            path: message.path,
            proxy_request_id: message.proxy_request_id,
        })
    }

    /// Plans a stream of access-log messages.
    pub(super) fn access_log(
        messages: &[Vec<u8>],
        case: &str,
        id: RequestId,
        connection: ContractConnection,
    ) -> Self {
        Self::nameless(CallKind::AccessLog, messages, case, id, connection)
    }

    /// Plans a question for health.
    pub(super) fn health(
        spec: &HealthSpec,
        case: &str,
        id: RequestId,
        connection: ContractConnection,
    ) -> Self {
        let message = HealthCheckRequest {
            service: spec.service.clone(),
        }
        .encode_to_vec();
        Self::nameless(CallKind::Health, &[message], case, id, connection)
    }

    fn nameless(
        kind: CallKind,
        messages: &[Vec<u8>],
        case: &str,
        id: RequestId,
        connection: ContractConnection,
    ) -> Self {
        Self {
            planned: planned(&id, kind, messages),
            id,
            case: case.into(),
            connection,
            kind,
            identification: Identification::Nameless,
            method: String::new(),
            path: String::new(),
            proxy_request_id: String::new(),
        }
    }
}

fn planned(id: &RequestId, kind: CallKind, messages: &[Vec<u8>]) -> PlannedCall {
    PlannedCall {
        id: id.as_str().into(),
        method: kind.method().into(),
        messages_base64: messages
            .iter()
            .map(|message| STANDARD.encode(message))
            .collect(),
        deadline_milliseconds: None,
    }
}
