//! `outage` under load: the agent ends while two streams go on, and its restart policy brings it back.

use jiff::Timestamp;

use super::carry_out::judge_recovery;
use super::requests::judge;
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::outage::OutageSpec;
use crate::procedure::round::{ReconciledEntries, Round};
use crate::procedure::stream_pair::StreamPair;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::LifecycleEvent;
use harness_core::stack::AGENT_CONTAINER;
use harness_environment::ContainerFault;
use harness_verdict::judge::agent_gap::{Gap, closed_at};
use harness_verdict::witness::reconciliation::EarlierHops;

/// Requests of each stream that are answered before the agent is killed.
const WARM_UP: usize = 20;
/// Requests per second of each stream while the agent is killed.
const LOAD_PER_SECOND: f64 = 100.0;
/// Attacks in a row that a restarted agent must deny under load: an agent that hangs soon after its restart is found.
const RECOVERED_IN_A_ROW: usize = 50;

/// What ends the agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// The harness kills it under load.
    ByHarness,
    /// The kernel does, for what it took since then.
    OfMemory(Timestamp),
}

/// The agent ends while requests go on; its restart policy brings it back.
pub(super) async fn go_on_under_load(
    spec: &OutageSpec,
    ending: Ending,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let pair = StreamPair::prepare(
        &deployment.ids,
        ("benign-under-load", &spec.benign),
        ("attack-under-load", &spec.attack),
    )?;
    let address = deployment.proxy_address();
    let streams = pair.streams(&address, |_| LOAD_PER_SECOND, u32::MAX);
    let mut drive = deployment.start_drive(streams).await?;
    let killed_by = match ending {
        Ending::ByHarness => {
            let waited_for = "answers from before the agent is killed";
            let budget = deployment.timeouts.first_answers();
            drive
                .await_records(waited_for, budget, |records| records.len() >= 2 * WARM_UP)
                .await?;
            deployment
                .pod()
                .inject(AGENT_CONTAINER, ContainerFault::Kill)
                .await?;
            Some(Timestamp::now())
        }
        Ending::OfMemory(_) => None,
    };
    let restarted_at = await_restart(deployment).await?;
    let recovered = deployment
        .timeouts
        .restarted
        .max(deployment.timeouts.enforcing);
    // An agent that is not seen to recover here has requests that tell of it, and is asked once more when nothing else goes on.
    deployment
        .await_denials(
            &mut drive,
            |record| {
                pair.of(record).kind == StreamKind::Attack && record.intended_at >= restarted_at
            },
            RECOVERED_IN_A_ROW,
            recovered.as_duration(),
        )
        .await?;
    drive.stop().await?;
    let round = Round::conclude(drive, before, deployment).await?;
    let requests = round.joined(deployment).await;

    let killed_at = match ending {
        Ending::ByHarness => deployment
            .pod()
            .timeline()
            .iter()
            .find(|event| matches!(event.event, LifecycleEvent::FaultInjected { .. }))
            .map_or(restarted_at, |event| event.at),
        Ending::OfMemory(began_at) => began_at,
    };
    let killed_by = killed_by.unwrap_or(restarted_at);
    let gap = Gap {
        killed_at,
        killed_by,
        closed_at: closed_at(&requests, killed_by, |client| pair.of(client).kind),
    };
    let mut outcomes = Vec::new();
    for joined in &requests {
        let stream = pair.of(&joined.client);
        let acceptable = gap.acceptable(*spec.during, stream.kind, joined);
        outcomes.push(judge(
            stream.case,
            stream.planned(),
            joined,
            &acceptable,
            spec,
            deployment,
            results,
        ));
    }
    results.absorb(gap.judge(spec.during, spec.fault.position, &outcomes));
    let hops = EarlierHops::of(&requests);
    let entries = ReconciledEntries::Unknown;
    round
        .reconcile(&outcomes, hops, entries, deployment, results)
        .await?;
    judge_recovery(spec, deployment, results).await
}

async fn await_restart(deployment: &Deployment) -> Result<Timestamp, ProcedureError> {
    deployment
        .await_timeline(
            "the agent to be restarted",
            deployment.timeouts.restarted,
            |timeline| {
                timeline
                    .iter()
                    .find(|event| {
                        event.container.as_deref() == Some(AGENT_CONTAINER)
                            && matches!(event.event, LifecycleEvent::Started { restart_count: 1.. })
                    })
                    .map(|event| event.at)
            },
        )
        .await
}
