//! `outage` by memory: the agent takes more than its limit, and the kernel ends it.

use jiff::Timestamp;

use super::requests::start_prepared;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::outage::OutageSpec;
use crate::procedure::plan::Route;

/// Sends the request by which the agent takes its memory; returns when that was. The request itself is not judged: what becomes of it is
/// decided between the kernel and the proxy.
pub(super) async fn exhaust_memory(
    spec: &OutageSpec,
    deployment: &Deployment,
) -> Result<Timestamp, ProcedureError> {
    let began_at = Timestamp::now();
    if let Some(trigger) = &spec.trigger {
        let prepared = deployment
            .ids
            .prepare(trigger, "trigger", 0, Route::Inspected)?;
        let drive = start_prepared(deployment, std::iter::once(&prepared)).await?;
        deployment.finish_drive(drive).await?;
    }
    Ok(began_at)
}
