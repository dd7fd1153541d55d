//! What the agent's log must say.

use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use crate::model::finding::Finding;
use crate::model::located::Located;
use crate::stack::AGENT_CONTAINER;

/// Looks for each text in the agent's log; one that is absent is a finding.
pub async fn judge_log(
    says: &[Located<String>],
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    if says.is_empty() {
        return Ok(());
    }
    let log = deployment.pod.log(AGENT_CONTAINER).await?;
    let log = String::from_utf8_lossy(&log);
    for text in says {
        if !log.contains(text.as_str()) {
            let last = log
                .lines()
                .rfind(|line| !line.starts_with('{'))
                .unwrap_or("(nothing)");
            proceedings.findings.push(Finding::new(
                "agent-log",
                text.position,
                format!("the agent's log says `{}`", **text),
                format!("its last line: {}", last.escape_debug()),
            ));
        }
    }
    Ok(())
}
