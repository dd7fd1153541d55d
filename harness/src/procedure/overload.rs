//! `outage` by overload: the proxy's limit for requests that wait for the agent is filled, and what comes then is judged.

use tokio::time::{Instant, sleep};

use super::Proceedings;
use super::deployment::{Deployment, POLL_INTERVAL};
use super::error::ProcedureError;
use super::outage::{Kind, Sent, conclude, judge_recovery, prepared, send, start};
use crate::environment::ContainerFault;
use crate::model::finding::Finding;
use crate::model::procedure::OutageSpec;
use crate::stack::AGENT_CONTAINER;
use crate::witness::counters::{Counters, LIMIT_QUERY};

/// Requests of each kind that come when the limit is reached.
const EXCESS: u32 = 8;
/// The end of the name of the gauge that says whether the limit is reached.
const LIMIT_GAUGE: &str = "circuit_breakers.default.rq_open";

/// The agent is stopped, so that the requests in its hands stay there: no time-out and no speed of the machine decides which requests are
/// the excess. Then it goes on, and decides about those that it holds.
pub(super) async fn overload(
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let admitted = spec.admits.as_ref().map_or(0, |admits| **admits);
    let mut held = Vec::new();
    for number in 0..admitted {
        let case = ["benign-held", "attack-held"][number as usize % 2];
        held.push(prepared(deployment, spec, case, number)?);
    }
    let mut excess = Vec::new();
    for number in 0..EXCESS {
        excess.push(prepared(deployment, spec, "benign-in-excess", number)?);
        excess.push(prepared(deployment, spec, "attack-in-excess", number)?);
    }
    inject(deployment, ContainerFault::Pause).await?;
    let drive = start(deployment, &held).await?;
    proceedings
        .findings
        .extend(await_limit(spec, deployment).await?);
    send(deployment, &excess, |_| *spec.during, spec, proceedings).await?;
    let before = deployment.counters().await?;
    inject(deployment, ContainerFault::Resume).await?;
    let sent = Sent {
        drive,
        requests: &held,
    };
    conclude(sent, before, Kind::usual, spec, deployment, proceedings).await?;
    observe_share(spec, held.len() + excess.len(), proceedings);
    judge_recovery(spec, deployment, proceedings).await
}

async fn inject(deployment: &Deployment, fault: ContainerFault) -> Result<(), ProcedureError> {
    Ok(deployment.pod.inject(AGENT_CONTAINER, fault).await?)
}

/// Waits until the proxy says that it admits no further request to the agent. A limit that is not reached is the configuration's
/// fault: the requests are judged all the same.
async fn await_limit(
    spec: &OutageSpec,
    deployment: &Deployment,
) -> Result<Option<Finding>, ProcedureError> {
    let budget = deployment.timeouts.overloaded;
    let deadline = Instant::now() + budget.as_duration();
    while Instant::now() < deadline {
        let gauges = Counters::parse(&deployment.admin(LIMIT_QUERY).await?);
        if gauges.sum_ending(LIMIT_GAUGE) > 0 {
            return Ok(None);
        }
        sleep(POLL_INTERVAL).await;
    }
    let position = spec
        .admits
        .as_ref()
        .map_or(spec.fault.position, |admits| admits.position);
    Ok(Some(Finding::new(
        "overload",
        position,
        "with these requests in the agent's hands the proxy admits no more",
        format!("its limit was not reached within {budget}"),
    )))
}

/// Reports how many of the requests that were under way together nobody inspected.
fn observe_share(spec: &OutageSpec, offered: usize, proceedings: &mut Proceedings) {
    let excess = proceedings
        .requests
        .iter()
        .filter(|request| request.judgement.outcome == *spec.during)
        .count();
    let admitted = spec.admits.as_ref().map_or(0, |admits| **admits);
    proceedings.observations.insert(
        format!("share {}", *spec.during),
        format!("{excess} of {offered} requests at once, with a limit of {admitted}"),
    );
}
