//! The part of `exchange` with requests whose id the proxy cannot read: each is sent alone, and judged by the proxy's next record without an id.

use std::sync::atomic::Ordering;

use super::judging::{found_in, judge_joined, record_reconciliation};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::expected::Expected;
use crate::procedure::plan::list_stream;
use harness_core::model::expectation::Expectation;
use harness_traffic::plan::Pacing;
use harness_verdict::witness::join::Joined;

/// Tells whether the proxy cannot read the id of a request.
pub(super) fn is_nameless(expect: &Expectation) -> bool {
    expect.proxy.as_ref().is_some_and(|proxy| proxy.nameless)
}

/// Sends one request whose id the proxy cannot read, and judges it by the proxy's next record without an id.
pub(super) async fn judge_nameless(
    request: Expected,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let seen = deployment
        .collected(|collected| collected.proxy.without_id.len())
        .await?;
    let stream = list_stream(
        "exchange",
        &deployment.proxy_address(),
        Pacing::Sequential,
        vec![request.prepared.planned.clone()],
    );
    let drive = deployment.start_drive(vec![stream]).await?;
    let report = deployment.finish_drive(drive).await?;
    let id = request.prepared.planned.id.clone();
    let record = deployment.nameless_record(seen, &id).await?;
    deployment.nameless.fetch_add(1, Ordering::Relaxed);
    let joined = deployment
        .collected(|collected| {
            report
                .records
                .iter()
                .map(|client| Joined {
                    proxy: record.clone().into_iter().collect(),
                    ..deployment.join(client, collected)
                })
                .collect::<Vec<_>>()
        })
        .await?;
    let after = deployment.counters().await?;
    let tally = judge_joined(&[request], found_in(&joined), |_| None, results);
    let reconciliation = deployment
        .reconcile(
            report.summary.sent,
            &tally.outcomes,
            Some((&before, &after)),
            None,
        )
        .await?;
    record_reconciliation(reconciliation, results);
    Ok(())
}
