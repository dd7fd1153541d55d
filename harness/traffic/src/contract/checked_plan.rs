//! Checks a plan of calls as a whole before anything is sent.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;

use super::framing::frame;
use super::plan::{Completion, ContractPlan, PlannedCall};
use crate::tls::{TlsClient, TlsPlanError};
use crate::transport::{Destination, Translation};

/// The most connections of a plan.
const CONNECTION_LIMIT: usize = 64;
/// The most calls of a plan.
const CALL_LIMIT: usize = 65_536;
/// The longest bound of one call.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

/// Why a plan of calls cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContractPlanError {
    /// The address has no host, or no port.
    #[error("`{address}` is not `host:port`")]
    Address {
        /// What was given.
        address: String,
    },
    /// A message is not base64.
    #[error("a message of the call `{id}` is not base64")]
    Base64 {
        /// The call.
        id: String,
        /// What the decoder said.
        #[source]
        source: base64::DecodeError,
    },
    /// Two records could not be distinguished.
    #[error("two calls have the id `{id}`")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// A call's method is no path.
    #[error("`{method}` is not `/package.Service/Method`")]
    Method {
        /// What was given.
        method: String,
    },
    /// A call sends nothing.
    #[error("the call `{id}` has no message")]
    NoMessage {
        /// The call.
        id: String,
    },
    /// A call has no time, or too much.
    #[error("{milliseconds} ms are not between 1 ms and {} s", LONGEST_TIMEOUT.as_secs())]
    Time {
        /// What was asked for.
        milliseconds: u64,
    },
    /// A connection cannot be secured.
    #[error(transparent)]
    Tls(#[from] TlsPlanError),
    /// There are more connections or calls than the bound.
    #[error("the plan has more than {CONNECTION_LIMIT} connections or {CALL_LIMIT} calls")]
    TooLarge,
}

/// A plan whose every call can be made.
#[derive(Debug)]
pub(crate) struct CheckedContract {
    pub(super) connections: Vec<CheckedConnection>,
    pub(super) call_timeout: Duration,
}

/// One connection with its calls.
#[derive(Debug)]
pub(super) struct CheckedConnection {
    pub(super) name: String,
    pub(super) destination: Destination,
    pub(super) groups: Vec<CheckedGroup>,
}

/// Calls that are made at the same time.
#[derive(Debug)]
pub(super) struct CheckedGroup {
    pub(super) name: String,
    pub(super) calls: Vec<CheckedCall>,
    pub(super) completion: Completion,
}

/// One call.
#[derive(Debug)]
pub(super) struct CheckedCall {
    pub(super) id: String,
    pub(super) method: PathAndQuery,
    /// Its messages, framed.
    pub(super) bytes: Bytes,
    pub(super) deadline: Option<Duration>,
}

impl CheckedContract {
    /// Checks the plan.
    pub(crate) fn new(plan: ContractPlan) -> Result<Self, ContractPlanError> {
        let call_timeout = time(plan.call_timeout_milliseconds)?;
        let calls = plan
            .connections
            .iter()
            .flat_map(|connection| &connection.groups)
            .map(|group| group.calls.len());
        if plan.connections.len() > CONNECTION_LIMIT || calls.sum::<usize>() > CALL_LIMIT {
            return Err(ContractPlanError::TooLarge);
        }
        let mut ids = HashSet::new();
        let mut connections = Vec::new();
        for connection in plan.connections {
            let has_port = connection
                .address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            if !has_port {
                return Err(ContractPlanError::Address {
                    address: connection.address,
                });
            }
            let mut groups = Vec::new();
            for group in connection.groups {
                let mut calls = Vec::new();
                for call in group.calls {
                    if !ids.insert(call.id.clone()) {
                        return Err(ContractPlanError::DuplicateId { id: call.id });
                    }
                    calls.push(CheckedCall::new(call)?);
                }
                groups.push(CheckedGroup {
                    name: group.name,
                    calls,
                    completion: group.completion,
                });
            }
            connections.push(CheckedConnection {
                name: connection.name,
                destination: Destination {
                    translation: Translation::ByNode,
                    address: connection.address,
                    tls: connection.tls.as_ref().map(TlsClient::new).transpose()?,
                },
                groups,
            });
        }
        Ok(Self {
            connections,
            call_timeout,
        })
    }
}

impl CheckedCall {
    fn new(call: PlannedCall) -> Result<Self, ContractPlanError> {
        if call.messages_base64.is_empty() {
            return Err(ContractPlanError::NoMessage { id: call.id });
        }
        let mut bytes = Vec::new();
        for message in &call.messages_base64 {
            let message = STANDARD
                .decode(message)
                .map_err(|source| ContractPlanError::Base64 {
                    id: call.id.clone(),
                    source,
                })?;
            bytes.extend(frame(&message));
        }
        let method = match call.method.parse::<PathAndQuery>() {
            Ok(method) if call.method.starts_with('/') => method,
            Ok(_) | Err(_) => {
                return Err(ContractPlanError::Method {
                    method: call.method,
                });
            }
        };
        Ok(Self {
            id: call.id,
            method,
            bytes: bytes.into(),
            deadline: call.deadline_milliseconds.map(time).transpose()?,
        })
    }
}

fn time(milliseconds: u64) -> Result<Duration, ContractPlanError> {
    let span = Duration::from_millis(milliseconds);
    if span.is_zero() || span > LONGEST_TIMEOUT {
        return Err(ContractPlanError::Time { milliseconds });
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::error_chain::error_chain;

    fn plan(change: impl FnOnce(&mut Value)) -> Result<CheckedContract, ContractPlanError> {
        let call = |id: &str| json!({"id": id, "method": "/a.B/C", "messages-base64": ["YQ=="]});
        let mut plan = json!({
            "call-timeout-milliseconds": 1000,
            "connections": [{
                "name": "main", "address": "127.0.0.1:1",
                "groups": [{"name": "g", "completion": "at-once", "calls": [call("one"), call("two")]}],
            }],
        });
        change(&mut plan);
        CheckedContract::new(serde_json::from_value(plan).expect("a plan"))
    }

    #[test]
    fn a_good_plan_is_taken_with_its_messages_framed() {
        let plan = plan(|_| {}).expect("a good plan");
        assert_eq!(
            &plan.connections[0].groups[0].calls[1].bytes[..],
            b"\0\0\0\0\x01a"
        );
    }

    #[rstest]
    #[case("/call-timeout-milliseconds", json!(0), "0 ms")]
    #[case("/connections/0/address", json!("localhost"), "`localhost`")]
    #[case("/connections/0/groups/0/calls/1/id", json!("one"), "`one`")]
    #[case("/connections/0/groups/0/calls/1/method", json!("a.B/C"), "`a.B/C`")]
    #[case("/connections/0/groups/0/calls/1/messages-base64", json!([]), "no message")]
    #[case("/connections/0/groups/0/calls/1/messages-base64", json!(["%"]), "base64")]
    #[case("/connections/0/tls", json!({"server-name": "a", "ca-pem-base64": ""}), "no trusted certificate")]
    fn a_plan_that_cannot_be_carried_out_is_refused_with_its_reason(
        #[case] place: &str,
        #[case] value: Value,
        #[case] fragment: &str,
    ) {
        let error = plan(|plan| {
            let (parent, key) = place.rsplit_once('/').expect("a place");
            plan.pointer_mut(parent).expect("a parent")[key] = value;
        })
        .expect_err("it cannot be carried out");
        let reason = error_chain(&error);
        assert!(reason.contains(fragment), "{reason}");
    }
}
