//! Ends the pod of a scenario that has passed so far, and looks once more at what its witnesses say: a record that comes late, or a second
//! one that contradicts the first, is in the logs by then.

use std::sync::atomic::Ordering;

use super::ProcedureResults;
use super::deployment::Deployment;
use super::error::ProcedureError;
use harness_core::model::timeline::LifecycleEvent;
use harness_verdict::judge::late_records::{JudgedRecords, judge_late_records};

/// Ends the pod and compares what the witnesses have recorded by now with what was judged.
pub async fn reconcile_finally(
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let deleted = deployment
        .pod()
        .timeline()
        .iter()
        .any(|event| matches!(event.event, LifecycleEvent::DeletionRequested { .. }));
    if !deleted {
        deployment.pod().request_deletion().await?;
        deployment.await_gone().await?;
    }
    let known_ids = deployment.ids.sent();
    let nameless =
        usize::try_from(deployment.nameless.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    let requests = &results.requests;
    let calls = &results.calls;
    let findings = deployment
        .collected(|collected| {
            let judged = JudgedRecords {
                requests,
                calls,
                known_ids: &known_ids,
                nameless,
            };
            judge_late_records(&judged, collected)
        })
        .await?;
    results.findings.extend(findings);
    Ok(())
}
