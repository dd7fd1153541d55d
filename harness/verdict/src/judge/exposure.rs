//! Judges which ports of a pod a client outside it can connect to.

use super::judged::Judged;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::Position;
use harness_traffic::record::{ClientRecord, ClientResult, FailureCause, RequestPhase};

/// What must be seen of a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortState {
    /// No connection is made.
    Closed,
    /// A connection is made.
    Open,
}

/// One port that is tried.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The port.
    pub port: u16,
    /// Where the scenario asks for it.
    pub position: Position,
    /// What must be seen of it.
    pub wanted: PortState,
}

/// Judges one port by the record of the connection to it.
pub fn judge_port(trial: &Trial, record: Option<&ClientRecord>) -> Judged {
    let mut judged = Judged::default();
    let seen = record.map_or_else(|| (None, "it was not tried".to_owned()), seen_of);
    let (found, words) = seen;
    judged.observe(format!("port {} from outside", trial.port), words.clone());
    if found != Some(trial.wanted) {
        judged.findings.push(Finding::new(
            FindingKind::PortExposure,
            trial.position,
            format!("port {} {}", trial.port, expected(trial.wanted)),
            words,
        ));
    }
    judged
}

/// Returns what a record says of its port, with the words for it; none where the record is about the driver and not about the port.
fn seen_of(record: &ClientRecord) -> (Option<PortState>, String) {
    match &record.result {
        ClientResult::Response(response) => (
            Some(PortState::Open),
            format!(
                "a connection was made, and answered with {}",
                response.status
            ),
        ),
        ClientResult::Failed(failure) => match (failure.phase, failure.cause) {
            (
                RequestPhase::Connect,
                FailureCause::Refused | FailureCause::Reset | FailureCause::TimedOut,
            ) => (
                Some(PortState::Closed),
                format!("no connection was made: {}", failure.detail),
            ),
            (
                RequestPhase::Connect,
                FailureCause::Closed | FailureCause::Malformed | FailureCause::Other,
            ) => (
                None,
                format!("the driver could not connect: {}", failure.detail),
            ),
            (RequestPhase::Send | RequestPhase::ResponseHead | RequestPhase::ResponseBody, _) => (
                Some(PortState::Open),
                format!("a connection was made: {}", failure.detail),
            ),
        },
    }
}

const fn expected(wanted: PortState) -> &'static str {
    match wanted {
        PortState::Closed => "takes no connection from outside the pod",
        PortState::Open => "takes connections from outside the pod",
    }
}
