//! `outage` by overload: the proxy's limit for requests that wait for the agent is filled, and what comes then is judged.

use super::carry_out::{KINDS, judge_recovery};
use super::requests::{Request, Sent, conclude, send, start_judged};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::{Deployment, POLL_INTERVAL};
use crate::procedure::error::ProcedureError;
use crate::procedure::outage::OutageSpec;
use harness_core::model::finding::Finding;
use harness_core::model::stream_kind::StreamKind;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::ContainerFault;
use harness_environment::polling::Polling;
use harness_verdict::judge::outage::limit_not_reached;
use harness_verdict::witness::counters::{Counters, LIMIT_QUERY};

/// Requests of each kind that come when the limit is reached.
const EXCESS: u32 = 8;
/// The end of the name of the gauge that says whether the limit is reached.
const LIMIT_GAUGE: &str = "circuit_breakers.default.rq_open";

/// The agent is stopped, so that the requests in its hands stay there: no time-out and no speed of the machine decides which requests are
/// the excess. Then it goes on, and decides about those that it holds.
pub(super) async fn overload(
    spec: &OutageSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let admitted = spec.admits.as_ref().map_or(0, |admits| **admits);
    let mut held = Vec::new();
    for number in 0..admitted {
        let kind = KINDS[number as usize % 2];
        held.push(Request::prepare(kind, "held", number, spec, deployment)?);
    }
    let mut excess = Vec::new();
    for number in 0..EXCESS {
        for kind in KINDS {
            let when = "in-excess";
            excess.push(Request::prepare(kind, when, number, spec, deployment)?);
        }
    }
    inject(deployment, ContainerFault::Pause).await?;
    let drive = start_judged(deployment, &held).await?;
    results
        .findings
        .extend(await_limit(spec, deployment).await?);
    send(deployment, &excess, |_| *spec.during, spec, results).await?;
    let before = deployment.counters().await?;
    inject(deployment, ContainerFault::Resume).await?;
    let sent = Sent {
        drive,
        requests: &held,
    };
    conclude(sent, before, StreamKind::usual, spec, deployment, results).await?;
    observe_share(spec, held.len() + excess.len(), results);
    judge_recovery(spec, deployment, results).await
}

async fn inject(deployment: &Deployment, fault: ContainerFault) -> Result<(), ProcedureError> {
    Ok(deployment.pod().inject(AGENT_CONTAINER, fault).await?)
}

/// Waits until the proxy says that it admits no further request to the agent: the agent alone is paused, so no other cluster's limit is
/// reached, whatever the agent's is called. A limit that is not reached is the configuration's
/// fault: the requests are judged all the same.
async fn await_limit(
    spec: &OutageSpec,
    deployment: &Deployment,
) -> Result<Option<Finding>, ProcedureError> {
    let budget = deployment.timeouts.overloaded;
    let mut polling = Polling::within(budget.as_duration(), POLL_INTERVAL);
    while polling.next().await {
        let gauges = Counters::parse(&deployment.admin(LIMIT_QUERY).await?);
        if gauges.sum_ending(LIMIT_GAUGE) > 0 {
            return Ok(None);
        }
    }
    let position = spec
        .admits
        .as_ref()
        .map_or(spec.fault.position, |admits| admits.position);
    Ok(Some(limit_not_reached(position, budget)))
}

/// Reports how many of the requests that were under way together nobody inspected.
fn observe_share(spec: &OutageSpec, offered: usize, results: &mut ProcedureResults) {
    let excess = results
        .requests
        .iter()
        .filter(|request| request.outcome() == *spec.during)
        .count();
    let admitted = spec.admits.as_ref().map_or(0, |admits| **admits);
    results.observations.insert(
        format!("share {}", *spec.during),
        format!("{excess} of {offered} requests at once, with a limit of {admitted}"),
    );
}
