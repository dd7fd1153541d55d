//! The part of `drain` with clients that keep their connections: who was asked to leave, who was turned away, and who was cut.
//!
//! The clients come through the pod's Service. A pod that is being deleted gets no new connections from it once its nodes know, so a client whose
//! connection ends is turned away: with more pods another one would have taken it. That is no loss; a request that was sent and never
//! answered is one.

use super::totals::reconcile;
use crate::procedure::deployment::Deployment;
use crate::procedure::drain::PersistentConnections;
use crate::procedure::drive::Drive;
use crate::procedure::error::ProcedureError;
use crate::procedure::plan::Prepared;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::located::Located;
use harness_core::model::request::{Protocol, RequestSpec};
use harness_traffic::plan::{ConnectionUse, Pacing, Requests, Stream};
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::drain::{ClientRequest, ConnectionExpectation, judge_clients};

/// The application's header for the time that it takes.
const DELAY_HEADER: &str = "x-app-delay";
/// The most requests of one client.
const MOST_REQUESTS: u32 = 10_000;
/// Requests per second of each client of HTTP/2.
const HTTP2_PER_SECOND: f64 = 20.0;
/// Answers for each client before the deletion is asked for.
const WARM_UP: usize = 3;

/// The clients under way.
#[derive(Debug)]
pub(super) struct Clients {
    drive: Drive,
    prepared: Vec<(String, Prepared)>,
}

/// Starts the clients and waits until each has been answered.
pub(super) async fn start(
    kept: &PersistentConnections,
    deployment: &Deployment,
) -> Result<Clients, ProcedureError> {
    let mut prepared = Vec::new();
    let mut streams = Vec::new();
    for (protocol, count) in [(Protocol::Http1, kept.http1), (Protocol::H2, kept.http2)] {
        for number in 0..count {
            let (name, pacing) = match protocol {
                Protocol::H2 => (
                    format!("kept-http2-{number}"),
                    Pacing::Rate {
                        per_second: HTTP2_PER_SECOND,
                    },
                ),
                Protocol::Http1 | Protocol::Http10 => {
                    (format!("kept-http1-{number}"), Pacing::Sequential)
                }
            };
            let mut request = RequestSpec {
                protocol,
                ..kept.request.clone()
            };
            request.headers.push(Located::unwritten(format!(
                "{DELAY_HEADER}: {}ms",
                kept.answer_delay.as_duration().as_millis()
            )));
            let repeated = deployment.ids.prepare_repeated(&request, &name)?;
            streams.push(Stream {
                name: name.clone(),
                address: deployment.pod().addresses().service,
                pacing,
                connection: ConnectionUse::KeepUntilRefused,
                tls: None,
                requests: Requests::Repeat {
                    request: repeated.planned.clone(),
                    limit: MOST_REQUESTS,
                },
            });
            prepared.push((name, repeated));
        }
    }
    deployment.await_service().await?;
    let mut drive = deployment.start_drive(streams).await?;
    let waited_for = "every client's first answers";
    let budget = deployment.timeouts.first_answers();
    drive
        .await_records(waited_for, budget, |records| all_warm(records, &prepared))
        .await?;
    Ok(Clients { drive, prepared })
}

fn all_warm(records: &[ClientRecord], prepared: &[(String, Prepared)]) -> bool {
    prepared.iter().all(|(name, _)| {
        let of_client = records.iter().filter(|record| record.stream == *name);
        of_client.count() >= WARM_UP
    })
}

/// Waits for the clients' end, once the proxy has ended, and judges them.
pub(super) async fn finish(
    kept: &Located<PersistentConnections>,
    clients: Clients,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let Clients {
        mut drive,
        prepared,
    } = clients;
    drive.stop().await?;
    let report = deployment.finish_drive(drive).await?;
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod().timeline();
    let requests: Vec<ClientRequest<'_>> = joined
        .iter()
        .filter_map(|joined| {
            let (client, _) = prepared
                .iter()
                .find(|(name, _)| *name == joined.client.stream)?;
            Some(ClientRequest { client, joined })
        })
        .collect();
    let expectation = ConnectionExpectation {
        cut: kept.cut,
        released: kept.released,
        response_data: kept.response_data,
        clients: prepared.len(),
    };
    let (judged, judgements) = judge_clients(&expectation, &requests, &timeline);
    results.absorb(judged);
    let mut outcomes = Vec::new();
    for (request, judgement) in requests.into_iter().zip(judgements) {
        outcomes.push(judgement.outcome);
        let is_its_client = |(name, _): &&(String, Prepared)| name == request.client;
        if let Some((name, sent)) = prepared.iter().find(is_its_client) {
            let judged = JudgedRequest::new(name, &sent.planned, request.joined.clone(), judgement);
            results.requests.push(judged);
        }
    }
    reconcile(&report, &outcomes, deployment, results).await
}
