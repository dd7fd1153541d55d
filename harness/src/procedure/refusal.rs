//! `refusal`: a deployment that the agent must refuse loudly, without letting anything through meanwhile.

use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_requests, requests_of_cases};
use crate::judge::lifecycle::{exit_after, render};
use crate::model::finding::Finding;
use crate::model::located::Position;
use crate::model::procedure::RefusalSpec;
use crate::stack::AGENT_CONTAINER;

/// Carries a refusal out.
pub async fn carry_out(
    spec: &RefusalSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &spec.lint, proceedings);
    deployment.await_proxy_live().await?;
    let exit = deployment
        .await_timeline(
            "the agent to end",
            deployment.timeouts.refusal,
            |timeline| exit_after(timeline, AGENT_CONTAINER),
        )
        .await;
    match exit {
        Ok(status) if status.as_container_exit_code() != 0 => {
            proceedings.observations.insert(
                "the agent's exit code".into(),
                status.as_container_exit_code().to_string(),
            );
        }
        Ok(_) => proceedings.findings.push(
            Finding::new(
                "refusal",
                Position::default(),
                "the agent ends with an exit code other than 0",
                "it ended with 0",
            )
            .note(render(&deployment.pod.timeline(), Some(AGENT_CONTAINER))),
        ),
        Err(ProcedureError::TimedOut(timed_out)) => proceedings.findings.push(
            Finding::new(
                "refusal",
                Position::default(),
                format!(
                    "the agent refuses the deployment within {}",
                    timed_out.budget
                ),
                "it still runs",
            )
            .note(timed_out.last_seen),
        ),
        Err(error) => return Err(error),
    }
    let log = deployment.pod.log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log);
    for text in &spec.says {
        if !log.contains(text.as_str()) {
            let last = log.lines().next_back().unwrap_or("(nothing)");
            proceedings.findings.push(Finding::new(
                "refusal-log",
                text.position,
                format!("the agent's log says `{}`", **text),
                format!("its last line: {}", last.escape_debug()),
            ));
        }
    }
    let requests = requests_of_cases(&spec.cases, deployment)?;
    judge_requests(requests, deployment, proceedings).await
}
