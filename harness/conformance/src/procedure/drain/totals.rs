//! Reconciles the totals of a drain's requests.

use crate::procedure::deployment::Deployment;
use crate::procedure::drive::DriveReport;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::record_reconciliation;
use crate::procedure::results::ProcedureResults;
use harness_core::model::outcome::Outcome;

/// Reconciles what the driver reports with what was decided. Envoy's counters end with it, so that they are left out.
pub(super) async fn reconcile(
    report: &DriveReport,
    outcomes: &[Outcome],
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let reconciliation = deployment
        .reconcile(report.summary.sent, outcomes, None, None)
        .await?;
    record_reconciliation(reconciliation, results);
    Ok(())
}
