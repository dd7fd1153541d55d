//! `exposure`: which ports of the pod somebody outside it can connect to.
//!
//! The connections are made to the pod's address from where the traffic comes from: in a cluster another pod. The proxy's port is tried
//! in every case: a meter that can connect nowhere would find every port closed.

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::judge_working;
use super::plan::list_stream;
use harness_core::model::exposure::ExposureSpec;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::located::{Located, Position};
use harness_core::stack::PROXY_PORT;
use harness_environment::authority;
use harness_traffic::plan::{BodyStart, Framing, Pacing, PlannedRequest, Protocol, Stream};
use harness_traffic::record::{ClientRecord, ClientResult, FailureCause, RequestPhase};

/// What must be seen of a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    Closed,
    Open,
}

/// One port that is tried.
struct Trial {
    port: u16,
    position: Position,
    wanted: Wanted,
}

/// Tries each port once, when the pod has been seen to work.
pub async fn carry_out(
    spec: &ExposureSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    judge_working(&spec.cases, deployment, results).await?;
    let trials = trials(spec);
    let address = deployment.pod.addresses().pod_ip;
    let streams = trials
        .iter()
        .map(|trial| stream(trial.port, &address, deployment))
        .collect();
    let drive = deployment.start_drive(streams).await?;
    let report = deployment.finish_drive(drive).await?;
    for trial in &trials {
        let name = stream_name(trial.port);
        let record = report.records.iter().find(|record| record.stream == name);
        let seen = record.map_or_else(|| (None, "it was not tried".to_owned()), seen_of);
        let (found, words) = seen;
        results
            .observations
            .insert(format!("port {} from outside", trial.port), words.clone());
        if found != Some(trial.wanted) {
            results.findings.push(Finding::new(
                FindingKind::PortExposure,
                trial.position,
                format!("port {} {}", trial.port, expected(trial.wanted)),
                words,
            ));
        }
    }
    Ok(())
}

fn trials(spec: &ExposureSpec) -> Vec<Trial> {
    let trial = |wanted| {
        move |port: &Located<u16>| Trial {
            port: **port,
            position: port.position,
            wanted,
        }
    };
    let mut trials = vec![Trial {
        port: PROXY_PORT,
        position: Position::default(),
        wanted: Wanted::Open,
    }];
    trials.extend(spec.open.iter().map(trial(Wanted::Open)));
    trials.extend(spec.closed.iter().map(trial(Wanted::Closed)));
    trials
}

fn stream_name(port: u16) -> String {
    format!("port-{port}")
}

/// One request on a connection of its own. It is HTTP for want of anything better: only whether a connection was made is looked at.
fn stream(port: u16, address: &str, deployment: &Deployment) -> Stream {
    let name = stream_name(port);
    let request = PlannedRequest {
        id: deployment.ids.next(&name, 0).as_str().into(),
        method: "GET".into(),
        target: "/".into(),
        headers: Vec::new(),
        body_base64: None,
        framing: Framing::default(),
        raw_base64: None,
        protocol: Protocol::default(),
        trailers: Vec::new(),
        body_pacing: None,
        body_start: BodyStart::default(),
        upgrade: None,
        linger_milliseconds: None,
    };
    list_stream(
        &name,
        &authority(address, port),
        Pacing::Sequential,
        vec![request],
    )
}

/// Returns what a record says of its port, with the words for it; none where the record tells of the driver and not of the port.
fn seen_of(record: &ClientRecord) -> (Option<Wanted>, String) {
    match &record.result {
        ClientResult::Response(response) => (
            Some(Wanted::Open),
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
                Some(Wanted::Closed),
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
                Some(Wanted::Open),
                format!("a connection was made: {}", failure.detail),
            ),
        },
    }
}

const fn expected(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Closed => "takes no connection from outside the pod",
        Wanted::Open => "takes connections from outside the pod",
    }
}
