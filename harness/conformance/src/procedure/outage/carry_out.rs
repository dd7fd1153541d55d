//! `outage`: the agent is stopped or killed while requests go on, and must be asked again afterwards.

use async_trait::async_trait;

use super::kill::{Ending, go_on_under_load};
use super::memory::exhaust_memory;
use super::overload::overload;
use super::requests::{Request, send};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::show_working;
use crate::procedure::interface::CarryOut;
use crate::procedure::outage::{Fault, OutageSpec};
use crate::procedure::pods::OnePod;
use harness_core::model::stream_kind::StreamKind;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::ContainerFault;
use harness_verdict::judge::lifecycle::exit_after;
use harness_verdict::judge::outage::{judge_memory_end, not_enforcing_again};

/// Requests of each kind that are sent to a stopped agent.
const WHILE_PAUSED: u32 = 3;
/// Both kinds of requests.
pub(super) const KINDS: [StreamKind; 2] = [StreamKind::Benign, StreamKind::Attack];

#[async_trait]
impl CarryOut<OnePod> for OutageSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        show_working(&self.lint, &self.attack, &self.benign, deployment, results).await?;
        match *self.fault {
            Fault::ExhaustMemory => {
                let began_at = exhaust_memory(self, deployment).await?;
                let ending = Ending::OfMemory(began_at);
                let result = go_on_under_load(self, ending, deployment, results).await;
                let ended = exit_after(&deployment.pod().timeline(), AGENT_CONTAINER);
                match (result, ended) {
                    // An agent that has not ended is not restarted: that is what is told of it below.
                    (Ok(()), _) | (Err(ProcedureError::TimedOut(_)), None) => {}
                    (Err(error), _) => return Err(error),
                }
                let timeline = deployment.pod().timeline();
                results.absorb(judge_memory_end(self.fault.position, &timeline));
                Ok(())
            }
            Fault::Pause => pause(self, deployment, results).await,
            Fault::Kill => go_on_under_load(self, Ending::ByHarness, deployment, results).await,
            Fault::Overload => overload(self, deployment, results).await,
        }
    }
}

/// The agent holds its connections and answers nothing; then it goes on.
async fn pause(
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    deployment
        .pod()
        .inject(AGENT_CONTAINER, ContainerFault::Pause)
        .await?;
    let mut requests = Vec::new();
    for number in 0..WHILE_PAUSED {
        for kind in KINDS {
            let when = "while-paused";
            requests.push(Request::prepare(kind, when, number, spec, deployment)?);
        }
    }
    send(deployment, &requests, |_| *spec.during, spec, results).await?;
    deployment
        .pod()
        .inject(AGENT_CONTAINER, ContainerFault::Resume)
        .await?;
    judge_recovery(spec, deployment, results).await
}

/// The agent must be asked again, and go on deciding.
pub(super) async fn judge_recovery(
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    if let Err(canaries) = deployment.await_enforcing().await? {
        let finding = not_enforcing_again(spec.fault.position, &canaries);
        results.findings.push(finding);
        // What it decides now would be told as what it detects.
        return Ok(());
    }
    let afterwards = |kind| Request::prepare(kind, "afterwards", 0, spec, deployment);
    let requests = KINDS
        .map(afterwards)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    send(deployment, &requests, StreamKind::usual, spec, results).await
}
