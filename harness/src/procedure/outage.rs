//! `outage`: the agent is stopped or killed while requests go on, and must be asked again afterwards.

use jiff::Timestamp;

use super::deployment::Deployment;
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_controls};
use super::outage_gap::{Gap, closed_at};
use super::overload::overload;
use super::plan::{Prepared, Route, list_stream, repeat_stream};
use super::round::{EntriesInBooks, Round};
use super::waits::Enforcement;
use super::{JudgedRequest, Proceedings};
use crate::environment::ContainerFault;
use crate::judge::exchange::describe_witnesses;
use crate::judge::lifecycle::{exit_after, first, phase_at, render};
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::outcome::Outcome;
use crate::model::procedure::{Fault, OutageSpec};
use crate::model::timeline::{ExitStatus, LifecycleEvent};
use crate::stack::AGENT_CONTAINER;
use crate::traffic::plan::Pacing;
use crate::traffic::record::ClientRecord;
use crate::witness::counters::Counters;
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// Requests of each stream that are answered before the agent is killed.
const WARM_UP: usize = 20;
/// Requests per second of each stream while the agent is killed.
const LOAD_PER_SECOND: f64 = 100.0;
/// Attacks in a row that a restarted agent must deny under load: an agent that hangs soon after its restart is found.
const RECOVERED_IN_A_ROW: usize = 50;
/// Requests of each kind that are sent to a stopped agent.
const WHILE_PAUSED: u32 = 3;
/// The most requests that are under way at the same time: over any limit that a scenario fills.
const AT_ONCE: u32 = 128;

/// Carries an outage out.
pub async fn carry_out(
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &spec.lint, proceedings);
    deployment.await_ready_and_enforcing().await?;
    judge_controls(&spec.attack, &spec.benign, deployment, proceedings).await?;
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
        requests.push(prepared(deployment, spec, "benign-while-paused", number)?);
        requests.push(prepared(deployment, spec, "attack-while-paused", number)?);
    }
    send(deployment, &requests, |_| *spec.during, spec, proceedings).await?;
    deployment
        .pod
        .inject(AGENT_CONTAINER, ContainerFault::Resume)
        .await?;
    judge_recovery(spec, deployment, proceedings).await
}

/// The agent must be asked again, and go on deciding.
pub(super) async fn judge_recovery(
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
    let requests = vec![
        prepared(deployment, spec, "benign-afterwards", 0)?,
        prepared(deployment, spec, "attack-afterwards", 0)?,
    ];
    send(deployment, &requests, Kind::usual, spec, proceedings).await
}

/// What a request of the streams is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Attack,
    Benign,
}

impl Kind {
    pub(super) fn of(case: &str) -> Self {
        if case.starts_with("attack") {
            Self::Attack
        } else {
            Self::Benign
        }
    }

    pub(super) const fn usual(self) -> Outcome {
        match self {
            Self::Attack => Outcome::BlockedByAgent,
            Self::Benign => Outcome::Allowed,
        }
    }
}

pub(super) fn prepared(
    deployment: &Deployment,
    spec: &OutageSpec,
    case: &str,
    number: u32,
) -> Result<(String, Prepared), ProcedureError> {
    let request = match Kind::of(case) {
        Kind::Attack => &spec.attack,
        Kind::Benign => &spec.benign,
    };
    let prepared = deployment
        .ids
        .prepare(request, case, number, Route::Inspected)?;
    Ok((case.to_owned(), prepared))
}

/// Sends requests at once and judges each against the outcome that is right for its kind.
pub(super) async fn send(
    deployment: &Deployment,
    requests: &[(String, Prepared)],
    right: impl Fn(Kind) -> Outcome,
    spec: &OutageSpec,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let drive = start(deployment, requests).await?;
    let sent = Sent { drive, requests };
    conclude(sent, before, right, spec, deployment, proceedings).await
}

/// Requests that are under way.
pub(super) struct Sent<'a> {
    pub(super) drive: Drive,
    pub(super) requests: &'a [(String, Prepared)],
}

/// Starts to send requests, all at once.
pub(super) async fn start(
    deployment: &Deployment,
    requests: &[(String, Prepared)],
) -> Result<Drive, ProcedureError> {
    let stream = list_stream(
        "outage",
        &deployment.proxy_address(),
        Pacing::Concurrent { limit: AT_ONCE },
        requests
            .iter()
            .map(|(_, prepared)| prepared.planned.clone())
            .collect(),
    );
    deployment.start_drive(vec![stream]).await
}

/// Waits for the answers to requests that are under way, and judges each. `before` are the counters before the first of them was decided.
pub(super) async fn conclude(
    sent: Sent<'_>,
    before: Counters,
    right: impl Fn(Kind) -> Outcome,
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let round = Round::conclude(sent.drive, before, deployment).await?;
    let mut outcomes = Vec::new();
    for (case, prepared) in sent.requests {
        let Some(joined) = round
            .joined
            .iter()
            .find(|joined| joined.client.id == prepared.planned.id)
        else {
            continue;
        };
        let acceptable = [right(Kind::of(case))];
        outcomes.push(judge(
            case,
            prepared,
            joined,
            &acceptable,
            spec,
            deployment,
            proceedings,
        ));
    }
    round
        .close_books(&outcomes, EntriesInBooks::Unknown, deployment, proceedings)
        .await
}

/// What ends the agent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// The harness kills it under load.
    ByHarness,
    /// The kernel does, for what it took since then.
    OfMemory(Timestamp),
}

/// Sends the request by which the agent takes its memory; returns when that was. The request itself is not judged: what becomes of it is
/// decided between the kernel and the proxy.
async fn exhaust_memory(
    spec: &OutageSpec,
    deployment: &Deployment,
) -> Result<Timestamp, ProcedureError> {
    let began_at = Timestamp::now();
    if let Some(trigger) = &spec.trigger {
        let prepared = deployment
            .ids
            .prepare(trigger, "trigger", 0, Route::Inspected)?;
        let requests = [("trigger".to_owned(), prepared)];
        let drive = start(deployment, &requests).await?;
        deployment.finish_drive(drive).await?;
    }
    Ok(began_at)
}

/// Checks that it was the kernel, and for want of memory.
fn judge_end(spec: &OutageSpec, deployment: &Deployment, proceedings: &mut Proceedings) {
    let timeline = deployment.pod.timeline();
    let ended = first(&timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::OutOfMemory)
    });
    let code = exit_after(&timeline, AGENT_CONTAINER).map(ExitStatus::as_container_exit_code);
    if ended.is_some() && code == Some(KILLED) {
        let word = format!("the kernel ended it, with {KILLED}");
        proceedings
            .observations
            .insert("out of memory".into(), word);
        return;
    }
    proceedings.findings.push(
        Finding::new(
            "out-of-memory",
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

/// The exit code of a container that was sent KILL.
const KILLED: i32 = 137;

/// The agent ends while requests go on; its restart policy brings it back.
async fn go_on_under_load(
    spec: &OutageSpec,
    ending: Ending,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let before = deployment.counters().await?;
    let benign = deployment
        .ids
        .prepare_repeated(&spec.benign, "benign-under-load")?;
    let attack = deployment
        .ids
        .prepare_repeated(&spec.attack, "attack-under-load")?;
    let address = deployment.proxy_address();
    let streams = [&benign, &attack]
        .into_iter()
        .zip(["benign", "attack"])
        .map(|(prepared, name)| {
            repeat_stream(
                name,
                &address,
                LOAD_PER_SECOND,
                prepared.planned.clone(),
                u32::MAX,
            )
        })
        .collect();
    let mut drive = deployment.start_drive(streams).await?;
    let killed_by = match ending {
        Ending::ByHarness => {
            await_records(&mut drive, 2 * WARM_UP).await?;
            deployment
                .pod
                .inject(AGENT_CONTAINER, ContainerFault::Kill)
                .await?;
            Some(Timestamp::now())
        }
        Ending::OfMemory(_) => None,
    };
    let restarted_at = await_restart(deployment).await?;
    let recovered = deployment.timeouts.restarted.as_duration();
    deployment
        .await_denials(
            &mut drive,
            |record| record.stream == "attack" && record.intended_at >= restarted_at,
            RECOVERED_IN_A_ROW,
            recovered,
        )
        .await?;
    drive.stop().await?;
    let round = Round::conclude(drive, before, deployment).await?;

    let killed_at = match ending {
        Ending::ByHarness => deployment
            .pod
            .timeline()
            .iter()
            .find(|event| matches!(event.event, LifecycleEvent::FaultInjected { .. }))
            .map_or(restarted_at, |event| event.at),
        Ending::OfMemory(began_at) => began_at,
    };
    let gap = Gap {
        killed_at,
        killed_by: killed_by.unwrap_or(restarted_at),
        closed_at: closed_at(&round.joined, restarted_at),
    };
    let judged_before = proceedings.requests.len();
    let mut outcomes = Vec::new();
    for joined in &round.joined {
        let (case, prepared) = match joined.client.stream.as_str() {
            "attack" => ("attack-under-load", &attack),
            _ => ("benign-under-load", &benign),
        };
        let acceptable = gap.acceptable(*spec.during, Kind::of(case), joined);
        outcomes.push(judge(
            case,
            prepared,
            joined,
            &acceptable,
            spec,
            deployment,
            proceedings,
        ));
    }
    gap.report(spec, judged_before, proceedings);
    round
        .close_books(&outcomes, EntriesInBooks::Unknown, deployment, proceedings)
        .await?;
    judge_recovery(spec, deployment, proceedings).await
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

async fn await_records(drive: &mut Drive, count: usize) -> Result<(), ProcedureError> {
    while drive.records().len() < count {
        if drive.next().await?.is_none() {
            break;
        }
    }
    Ok(())
}

fn judge(
    case: &str,
    prepared: &Prepared,
    joined: &Joined,
    acceptable: &[Outcome],
    spec: &OutageSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Outcome {
    let judgement = decide(joined);
    let outcome = judgement.outcome;
    let id = RequestId::from_witness(&joined.client.id);
    if !acceptable.contains(&judgement.outcome) {
        let names: Vec<&str> = acceptable.iter().map(|outcome| outcome.as_str()).collect();
        let mut finding = Finding::new(
            "outcome",
            spec.during.position,
            names.join(" or "),
            judgement.outcome.as_str(),
        )
        .about(case, &id);
        finding.notes.clone_from(&judgement.reasons);
        finding.notes.extend(describe_witnesses(joined));
        finding.notes.push(format!(
            "sent {}",
            phase_at(&deployment.pod.timeline(), joined.client.intended_at)
        ));
        proceedings.findings.push(finding);
    } else if judgement.outcome == *spec.during {
        proceedings.findings.extend(
            judge_waiting(spec, joined, &joined.client).map(|finding| finding.about(case, &id)),
        );
    }
    proceedings.requests.push(JudgedRequest::new(
        case,
        &prepared.planned,
        joined.clone(),
        judgement,
    ));
    outcome
}

/// Checks that the proxy waited out its time-out, and that the client did not wait for ever.
fn judge_waiting<'a>(
    spec: &'a OutageSpec,
    joined: &'a Joined,
    client: &'a ClientRecord,
) -> impl Iterator<Item = Finding> + 'a {
    let waited = joined
        .proxy
        .first()
        .and_then(|proxy| proxy.authorization_microseconds);
    let too_short = spec.waits_at_least.as_ref().filter(|least| {
        waited.is_none_or(|waited| u128::from(waited) < least.as_duration().as_micros())
    });
    let too_long = spec
        .answers_within
        .as_ref()
        .filter(|most| u128::from(client.elapsed_microseconds) > most.as_duration().as_micros());
    too_short
        .map(|least| {
            Finding::new(
                "authorization-wait",
                least.position,
                format!("the proxy waits at least {} for the agent", **least),
                waited.map_or_else(
                    || "it did not ask the agent".into(),
                    |waited| format!("it waited {waited} µs"),
                ),
            )
        })
        .into_iter()
        .chain(too_long.map(|most| {
            Finding::new(
                "answer-time",
                most.position,
                format!("an answer within {}", **most),
                format!("{} µs", client.elapsed_microseconds),
            )
        }))
}
