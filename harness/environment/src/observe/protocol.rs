//! What is asked of the observer and what it answers: one JSON line there, JSON lines back.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::inspection::{InspectionAnswer, InspectionRequest};

/// The longest answer, in bytes.
pub(crate) const LONGEST_REPLY: u64 = 64 * 1024 * 1024;

/// The shortest id that is believed to name one container only.
const SHORTEST_ID: usize = 32;

/// A container's id as the runtime gave it: hexadecimal digits.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ContainerId(String);

impl ContainerId {
    /// Returns the id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerId {
    type Err = String;

    /// Reads an id, or the form in which a pod's status has it: `containerd://<id>`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = text.rsplit_once("://").map_or(text, |(_, id)| id);
        if id.len() >= SHORTEST_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(id.to_owned()))
        } else {
            Err(format!("`{}` is not a container id", text.escape_debug()))
        }
    }
}

impl TryFrom<String> for ContainerId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> Self {
        id.0
    }
}

/// What is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ObserveRequest {
    /// Inspects a container that runs, or acts on it.
    Inspect {
        container: ContainerId,
        /// The other containers of its pod: what the runtime has put into the roots of all of them is not the container's.
        others: Vec<ContainerId>,
        request: InspectionRequest,
    },
    /// Reports the processes that come and go, by the name that the harness has for the container, until the reader goes away.
    Watch {
        containers: BTreeMap<String, ContainerId>,
    },
}

/// The answer to anything but [`ObserveRequest::Watch`], which is answered by [`ProcessReport`]s.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ObserveReply {
    Inspected(InspectionAnswer),
    Refused { reason: String },
}

/// A process that came or went.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ProcessReport {
    /// The container; none for the first report, which says that the watch has begun.
    pub container: Option<String>,
    /// What happened.
    pub change: ProcessChange,
}

/// What happened to a process.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ProcessChange {
    /// The watch has begun: what was there is known.
    Begun,
    /// A process was started in the container from outside, as the runtime does for hooks and probes.
    Entered { process: i32, command: Vec<String> },
    /// Such a process has ended.
    Left { process: i32 },
    /// The container's first process has ended.
    Ended,
    /// How it ended, by the node's runtime.
    EndedWith { exit_code: i32 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_out_of_a_status_and_anything_else_is_refused() {
        let hex = "0123456789abcdef0123456789abcdef";
        let id: ContainerId = format!("containerd://{hex}").parse().expect("an id");
        assert_eq!(id.as_str(), hex);
        for wrong in ["", "docker://", "../../etc/passwd", "containerd://0123"] {
            assert!(wrong.parse::<ContainerId>().is_err(), "{wrong}");
        }
    }
}
