//! What the driver saw of each call.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The client's collected records about one call.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallRecord {
    /// The call's id.
    pub id: String,
    /// The connection on which it was made.
    pub connection: String,
    /// When it was begun.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// From its beginning to its end, by the monotonic clock, in microseconds.
    pub elapsed_microseconds: u64,
    /// What came of it.
    pub result: CallResult,
}

/// What came of a call.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// It ended with a status.
    Ended(CallEnd),
    /// It ended without a status, on a connection that had answered before.
    Lost {
        /// How, escaped and bounded to 256 characters.
        detail: String,
    },
    /// The answer is no gRPC, or is over the bounds.
    Malformed {
        /// How, escaped and bounded to 256 characters.
        detail: String,
    },
    /// No connection was had, or one that never answered anything.
    NoConnection {
        /// Why, escaped and bounded to 256 characters.
        detail: String,
    },
}

/// The end of a call that has a status.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CallEnd {
    /// The status code of gRPC.
    pub status: u32,
    /// Who gave it.
    pub given_by: StatusGiver,
    /// The status's text, escaped and bounded to 256 characters.
    pub message: String,
    /// The messages that came, in base64. Bounded to 256 KiB together.
    pub messages_base64: Vec<String>,
}

/// Who gave a status.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusGiver {
    /// The client cancelled the call when its deadline had passed.
    Deadline,
    /// The server.
    Server,
}

/// How many calls of a group were under way at the same time.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupRecord {
    /// The connection.
    pub connection: String,
    /// The group.
    pub group: String,
    /// How many calls it has.
    pub calls: u64,
    /// The most that were open at the same time.
    pub most_open: u64,
    /// How many streams the server lets one connection have open; none without a limit, or without a connection.
    pub stream_limit: Option<u64>,
}
