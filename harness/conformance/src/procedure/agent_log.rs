//! What the agent's log must say.

use super::ProcedureResults;
use super::deployment::{Deployment, POLL_INTERVAL};
use super::error::ProcedureError;
use harness_core::model::located::Located;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::polling::Polling;
use harness_verdict::judge::agent_log::{judge_text, log_says};

/// Looks for each text in the agent's log; one that is absent is a finding. A log reaches the harness some time after it was written, and what
/// is in one that something is missing of was written all the same: nothing follows from what is not.
pub async fn judge_log(
    says: &[Located<String>],
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    if says.is_empty() {
        return Ok(());
    }
    let budget = deployment.timeouts.witnesses_settled;
    let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        let kept = deployment.pod().kept_log(AGENT_CONTAINER).await?;
        let kept = String::from_utf8_lossy(&kept);
        if says.iter().all(|text| log_says(&kept, text)) {
            return Ok(());
        }
    }
    let log = deployment.pod().log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log);
    results.findings.extend(judge_text(says, &log));
    Ok(())
}
