//! `outage` by memory: the agent takes more than its limit, and the kernel ends it.

use harness_core::model::finding_kind::FindingKind;
use jiff::Timestamp;

use super::requests::start_prepared;
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::outage::OutageSpec;
use crate::procedure::plan::Route;
use harness_core::model::finding::Finding;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent};
use harness_core::stack::AGENT_CONTAINER;
use harness_verdict::judge::lifecycle::{exit_after, first, render};

/// The exit code of a container that was sent KILL.
const KILLED: i32 = 137;

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

/// Checks that it was the kernel, and for want of memory.
pub(super) fn judge_end(
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) {
    let timeline = deployment.pod().timeline();
    let ended = first(&timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::OutOfMemory)
    });
    let code = exit_after(&timeline, AGENT_CONTAINER).map(ExitStatus::as_container_exit_code);
    if ended.is_some() && code == Some(KILLED) {
        let word = format!("the kernel ended it, with {KILLED}");
        results.observations.insert("out of memory".into(), word);
        return;
    }
    results.findings.push(
        Finding::new(
            FindingKind::OutOfMemory,
            spec.fault.position,
            format!("the kernel ends the agent for want of memory, with exit code {KILLED}"),
            match (ended, code) {
                (_, None) => "it has not ended".to_owned(),
                (None, Some(code)) => format!("it ended with {code}, and not for want of memory"),
                (Some(_), Some(code)) => format!("it ended with {code}"),
            },
        )
        .note(render(&timeline, Some(AGENT_CONTAINER))),
    );
}
