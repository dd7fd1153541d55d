//! `outage`: the agent is stopped or killed while requests go on, and must be asked again afterwards.

use self::kill::{Ending, go_on_under_load};
use self::memory::{exhaust_memory, judge_end};
use self::overload::overload;
use self::requests::{Request, send};
use super::Proceedings;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::exchange::show_working;
use super::waits::Enforcement;
use crate::environment::ContainerFault;
use crate::judge::lifecycle::exit_after;
use crate::model::finding::Finding;
use crate::model::procedure::{Fault, OutageSpec};
use crate::model::stream_kind::StreamKind;
use crate::stack::AGENT_CONTAINER;

mod kill;
mod memory;
mod overload;
mod requests;

/// Requests of each kind that are sent to a stopped agent.
const WHILE_PAUSED: u32 = 3;
/// Both kinds of requests.
const KINDS: [StreamKind; 2] = [StreamKind::Benign, StreamKind::Attack];

/// Carries an outage out.
pub async fn carry_out(
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    show_working(
        &spec.lint,
        &spec.attack,
        &spec.benign,
        deployment,
        proceedings,
    )
    .await?;
    match *spec.fault {
        Fault::ExhaustMemory => {
            let began_at = exhaust_memory(spec, deployment).await?;
            let ending = Ending::OfMemory(began_at);
            let result = go_on_under_load(spec, ending, deployment, proceedings).await;
            let ended = exit_after(&deployment.pod.timeline(), AGENT_CONTAINER);
            match (result, ended) {
                // An agent that has not ended is not restarted: that is what is told of it below.
                (Ok(()), _) | (Err(ProcedureError::TimedOut(_)), None) => {}
                (Err(error), _) => return Err(error),
            }
            judge_end(spec, deployment, proceedings);
            Ok(())
        }
        Fault::Pause => pause(spec, deployment, proceedings).await,
        Fault::Kill => go_on_under_load(spec, Ending::ByHarness, deployment, proceedings).await,
        Fault::Overload => overload(spec, deployment, proceedings).await,
    }
}

/// The agent holds its connections and answers nothing; then it goes on.
async fn pause(
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    deployment
        .pod
        .inject(AGENT_CONTAINER, ContainerFault::Pause)
        .await?;
    let mut requests = Vec::new();
    for number in 0..WHILE_PAUSED {
        for kind in KINDS {
            let when = "while-paused";
            requests.push(Request::prepare(kind, when, number, spec, deployment)?);
        }
    }
    send(deployment, &requests, |_| *spec.during, spec, proceedings).await?;
    deployment
        .pod
        .inject(AGENT_CONTAINER, ContainerFault::Resume)
        .await?;
    judge_recovery(spec, deployment, proceedings).await
}

/// The agent must be asked again, and go on deciding.
async fn judge_recovery(
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    if deployment.await_enforcing().await? == Enforcement::NotSeen {
        proceedings.findings.push(Finding::new(
            "recovery",
            spec.fault.position,
            "attacks are denied again once the agent is back",
            format!("none was within {}", deployment.timeouts.enforcing),
        ));
    }
    let afterwards = |kind| Request::prepare(kind, "afterwards", 0, spec, deployment);
    let requests = KINDS
        .map(afterwards)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    send(deployment, &requests, StreamKind::usual, spec, proceedings).await
}
