//! What the driver is instructed to call.

use serde::{Deserialize, Serialize};

use crate::tls_plan::TlsPlan;

/// Calls to a gRPC server, connection by connection.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ContractPlan {
    /// Connections, used one after the other.
    pub connections: Vec<PlannedConnection>,
    /// The bound of one call, from its start until its status is there.
    pub call_timeout_milliseconds: u64,
}

/// One connection with its calls.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlannedConnection {
    /// Names the connection in its records.
    pub name: String,
    /// `host:port` to connect to.
    pub address: String,
    /// Speaks TLS; none means cleartext.
    #[serde(default)]
    pub tls: Option<TlsPlan>,
    /// Calls in groups; a group begins when the one before it has ended.
    pub groups: Vec<CallGroup>,
}

/// Calls that are made at the same time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallGroup {
    /// Names the group in its records.
    pub name: String,
    /// The calls, opened in this order.
    pub calls: Vec<PlannedCall>,
    /// When the calls are completed.
    pub completion: Completion,
}

/// When the messages of a group's calls are completed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completion {
    /// Each at once.
    AtOnce,
    /// The last byte of each is held back until all calls are open: so many are under way at the same time, however quick the server is.
    OnceAllAreOpen,
}

/// One call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlannedCall {
    /// Names the call in its record.
    pub id: String,
    /// `/package.Service/Method`.
    pub method: String,
    /// The messages that are sent, in base64.
    pub messages_base64: Vec<String>,
    /// The time that is given to the server (`grpc-timeout`). The call is cancelled when it is used up.
    #[serde(default)]
    pub deadline_milliseconds: Option<u64>,
}
