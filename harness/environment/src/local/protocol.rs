//! What the harness asks of a pod's supervisor: one JSON line there, one JSON line back.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inspection::{InspectionAnswer, InspectionRequest};
use crate::{EnvironmentFault, PodHttpRequest, PodHttpResponse};
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::timeouts::TimedOut;

/// The longest line in either direction.
pub(super) const LONGEST_LINE: usize = 64 * 1024 * 1024;

/// The name of the socket in the pod's folder.
pub(super) const CONTROL_SOCKET: &str = "control.sock";

/// One request; each has a connection of its own.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ControlRequest {
    /// Sends every timeline event, past and future, one JSON line each.
    Watch,
    /// Asks a port of the pod.
    Http {
        request: PodHttpRequest,
        within: Duration,
    },
    /// Starts the driver; after the reply the connection is the driver's stdin and stdout.
    StartDriver,
    /// Connects to a port of the pod's loopback address; after the reply the connection leads there.
    Connect { port: u16 },
    /// Kills a driver.
    EndDriver { process: i32 },
    /// Inspects a container that runs, or acts on it.
    Inspect {
        container: String,
        request: InspectionRequest,
    },
    /// Measures what a container takes of the machine.
    Usage { container: String },
    /// Starts the pod's deletion.
    RequestDeletion,
}

/// The answer to a request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ControlReply {
    Done,
    Http(PodHttpResponse),
    DriverStarted { process: i32 },
    Connected,
    Inspected(InspectionAnswer),
    Usage(ContainerUsage),
    Refused(ControlFault),
}

/// Why a request was not carried out.
#[derive(Clone, Debug, Deserialize, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum ControlFault {
    #[error("container `{container}` {state}")]
    ContainerState { container: String, state: String },
    #[error("cannot {action}: {detail}")]
    Failed {
        action: String,
        detail: String,
        errno: Option<i32>,
    },
    #[error("timed out waiting for {waited_for}; last seen: {last_seen}")]
    TimedOut {
        waited_for: String,
        budget: Duration,
        last_seen: String,
    },
}

impl ControlFault {
    /// Wraps an error of the system.
    pub(super) fn from_io(action: impl Into<String>, error: &io::Error) -> Self {
        Self::Failed {
            action: action.into(),
            detail: error.to_string(),
            errno: error.raw_os_error(),
        }
    }
}

impl From<ControlFault> for EnvironmentFault {
    fn from(fault: ControlFault) -> Self {
        match fault {
            ControlFault::ContainerState { container, state } => {
                Self::ContainerState { container, state }
            }
            ControlFault::Failed {
                action,
                detail,
                errno,
            } => Self::Io {
                action,
                source: errno
                    .map_or_else(|| io::Error::other(detail), io::Error::from_raw_os_error),
            },
            ControlFault::TimedOut {
                waited_for,
                budget,
                last_seen,
            } => Self::TimedOut(TimedOut {
                waited_for,
                budget: budget.into(),
                last_seen,
            }),
        }
    }
}
