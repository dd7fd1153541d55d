//! Sends the requests of an exchange, waits for their records, and judges each.

use super::judging::judge_joined;
use crate::procedure::ProcedureResults;
use crate::procedure::client_security::{by_protocol, judge_agreement, tls_plan};
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::ClientSecurity;
use crate::procedure::expected::Expected;
use crate::procedure::round::{ReconciledEntries, Round};
use harness_traffic::plan::{ConnectionUse, Pacing, PlannedRequest, Requests, Stream, TlsPlan};
use harness_verdict::judge::access_log::{AccessLogExpectation, judge_access_log};
use harness_verdict::judge::round::judge_connection;
use harness_verdict::witness::joined_requests::JoinedRequests;

/// How many requests are under way at the same time.
const CONCURRENCY: u32 = 32;

/// Sends requests several at a time, waits for their collected records, judges each and draws the totals up.
pub async fn judge_requests(
    requests: Vec<Expected>,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    judge_sent(
        Sending::Concurrently,
        ClientSecurity::Cleartext,
        requests,
        AccessLogExpectation::Complete,
        deployment,
        results,
    )
    .await
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sending {
    /// Several at a time, each on a connection of its own.
    Concurrently,
    /// One after the other on one connection.
    OneConnection,
}

pub(super) async fn judge_sent(
    sending: Sending,
    security: ClientSecurity,
    requests: Vec<Expected>,
    access_log: AccessLogExpectation,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let (pacing, connection) = match sending {
        Sending::Concurrently => (
            Pacing::Concurrent { limit: CONCURRENCY },
            ConnectionUse::New,
        ),
        Sending::OneConnection => (Pacing::Sequential, ConnectionUse::Keep),
    };
    let stream = |tls: Option<TlsPlan>, requests: Vec<PlannedRequest>| Stream {
        name: "exchange".into(),
        address: deployment.proxy_address(),
        pacing,
        connection,
        requests: Requests::List(requests),
        tls,
    };
    let planned = requests
        .iter()
        .map(|request| request.prepared.planned.clone());
    let streams = match security {
        ClientSecurity::Cleartext => vec![stream(None, planned.collect())],
        ClientSecurity::Tls => by_protocol(planned)
            .into_iter()
            .map(|(offered, requests)| {
                let tls = tls_plan(offered, &deployment.keys.certificates);
                stream(Some(tls), requests)
            })
            .collect(),
    };
    let round = Round::send(streams, deployment).await?;
    let counters = (&round.before, &round.after);
    let judging = |joined: JoinedRequests<'_>| {
        if sending == Sending::OneConnection {
            results.findings.extend(judge_connection(joined.iter()));
        }
        if security == ClientSecurity::Tls {
            results.findings.extend(judge_agreement(&requests, &joined));
        }
        let tally = judge_joined(&requests, |id| joined.of(id), |_| None, results);
        let entries = judge_access_log(access_log, joined.iter(), counters);
        (tally, entries)
    };
    let (tally, judged_entries) = round.look(deployment, judging).await;
    let entries = match access_log {
        AccessLogExpectation::Complete => ReconciledEntries::OneEach,
        AccessLogExpectation::Any | AccessLogExpectation::Lossy => ReconciledEntries::Unknown,
    };
    round
        .reconcile(
            &tally.outcomes,
            tally.earlier_hops,
            entries,
            deployment,
            results,
        )
        .await?;
    results.absorb(judged_entries);
    Ok(())
}
