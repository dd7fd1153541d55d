//! `drain`: the pod is deleted while requests go on; none may be cut and no attack may slip through.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::deployment::{Deployment, POLL_INTERVAL};
use super::drive::{Drive, DriveReport};
use super::error::ProcedureError;
use super::exchange::{check_deployment, judge_controls, judge_joined, record_books};
use super::expected::{Expected, requests_of_cases};
use super::plan::{Prepared, list_stream, repeat_stream};
use super::waits::DENIED_IN_A_ROW;
use super::{JudgedRequest, Proceedings, kept};
use crate::environment::EnvironmentFault;
use crate::judge::lifecycle::{earliest_term, first, judge_end, phase_at, place_in_time};
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::located::Position;
use crate::model::outcome::Outcome;
use crate::model::procedure::{DrainSpec, DrainStream};
use crate::model::timeline::{LifecycleEvent, TimelineEvent};
use crate::model::timeouts::TimedOut;
use crate::model::timespan::TimeSpan;
use crate::stack::{AGENT_CONTAINER, PROXY_CONTAINER};
use crate::traffic::plan::Pacing;
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// Records of the streams that come before the deletion is asked for.
const WARM_UP: usize = 10 * DENIED_IN_A_ROW;
/// What is due within this time before a container's TERM may be cut by it.
const TERM_MARGIN: SignedDuration = SignedDuration::from_millis(150);
/// The case that the stream's benign requests belong to.
const BENIGN: &str = "benign-stream";
/// The case that the stream's attacks belong to.
const ATTACK: &str = "attack-stream";

/// Carries a drain out.
pub async fn carry_out(
    spec: &DrainSpec,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    check_deployment(deployment, &spec.lint, proceedings);
    deployment.await_ready_and_enforcing().await?;

    if let Some(stream) = &spec.stream {
        judge_controls(&stream.attack, &stream.benign, deployment, proceedings).await?;
    }
    let streams = match &spec.stream {
        Some(stream) => Some(start_streams(stream, deployment).await?),
        None => None,
    };
    let clients = match &spec.kept {
        Some(kept) => Some((kept, kept::start(kept, deployment).await?)),
        None => None,
    };
    let in_flight = requests_of_cases(&spec.in_flight, deployment)?;
    let in_flight_drive = start_in_flight(&in_flight, deployment).await?;

    deployment.pod.request_deletion().await?;
    if let Some(streams) = streams {
        await_proxy_term(deployment).await?;
        let mut drive = streams.drive;
        drive.stop().await?;
        let report = deployment.finish_drive(drive).await?;
        judge_streams(spec, &streams.prepared, &report, deployment, proceedings).await?;
    }
    if let Some((kept, clients)) = clients {
        await_proxy_exit(deployment).await?;
        kept::finish(kept, clients, deployment, proceedings).await?;
    }
    if let Some(drive) = in_flight_drive {
        let report = deployment.finish_drive(drive).await?;
        judge_in_flight(&in_flight, &report, deployment, proceedings).await?;
    }
    deployment.await_gone().await?;
    let timeline = deployment.pod.timeline();
    for event in &timeline {
        if let (Some(container), LifecycleEvent::EndUnknown { reason }) =
            (&event.container, &event.event)
            && spec
                .containers
                .iter()
                .any(|judged| *judged.name == *container)
        {
            return Err(EnvironmentFault::PodLost {
                reason: format!("the kubelet cannot say how `{container}` ended: {reason}"),
            }
            .into());
        }
    }
    for container in &spec.containers {
        proceedings.findings.extend(judge_end(&timeline, container));
    }
    Ok(())
}

/// Both streams under way.
struct Streams {
    drive: Drive,
    prepared: [Prepared; 2],
}

async fn start_streams(
    stream: &DrainStream,
    deployment: &Deployment,
) -> Result<Streams, ProcedureError> {
    let benign = deployment.ids.prepare_repeated(&stream.benign, BENIGN)?;
    let attack = deployment.ids.prepare_repeated(&stream.attack, ATTACK)?;
    let address = deployment.proxy_address();
    let mut drive = deployment
        .start_drive(vec![
            repeat_stream(
                BENIGN,
                &address,
                *stream.per_second,
                benign.planned.clone(),
                u32::MAX,
            ),
            repeat_stream(
                ATTACK,
                &address,
                *stream.per_second,
                attack.planned.clone(),
                u32::MAX,
            ),
        ])
        .await?;
    while drive.records().len() < WARM_UP && drive.next().await?.is_some() {}
    Ok(Streams {
        drive,
        prepared: [benign, attack],
    })
}

/// Sends the slow requests and waits until the application has each of them.
async fn start_in_flight(
    requests: &[Expected],
    deployment: &Deployment,
) -> Result<Option<Drive>, ProcedureError> {
    if requests.is_empty() {
        return Ok(None);
    }
    let stream = list_stream(
        "in-flight",
        &deployment.proxy_address(),
        Pacing::Concurrent { limit: 64 },
        requests
            .iter()
            .map(|request| request.prepared.planned.clone())
            .collect(),
    );
    let drive = deployment.start_drive(vec![stream]).await?;
    let budget = deployment.timeouts.request;
    let arrived = async {
        loop {
            let under_way = deployment
                .testimony(|testimony| {
                    requests
                        .iter()
                        .filter(|request| request.expect.outcome.reached_application())
                        .all(|request| {
                            !testimony
                                .upstream
                                .of(&request.prepared.planned.id)
                                .is_empty()
                        })
                })
                .await?;
            if under_way {
                return Ok::<(), ProcedureError>(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(budget.as_duration(), arrived).await {
        Ok(result) => result.map(|()| Some(drive)),
        Err(_) => Err(TimedOut {
            waited_for: "the slow requests to arrive at the application".into(),
            budget,
            last_seen: format!("{} requests were sent", requests.len()),
        }
        .into()),
    }
}

async fn await_proxy_term(deployment: &Deployment) -> Result<(), ProcedureError> {
    let grace = Duration::from_secs(deployment.stack.grace_period_seconds());
    let budget = TimeSpan::new(grace + deployment.timeouts.pod_gone.as_duration());
    deployment
        .await_timeline("the proxy to be sent TERM", budget, |timeline| {
            first(timeline, Some(PROXY_CONTAINER), |event| {
                matches!(event, LifecycleEvent::TermSent { .. })
            })
        })
        .await
        .map(|_| ())
}

async fn await_proxy_exit(deployment: &Deployment) -> Result<(), ProcedureError> {
    let grace = Duration::from_secs(deployment.stack.grace_period_seconds());
    let budget = TimeSpan::new(grace + deployment.timeouts.pod_gone.as_duration());
    deployment
        .await_timeline("the proxy to end", budget, |timeline| {
            first(timeline, Some(PROXY_CONTAINER), |event| {
                matches!(
                    event,
                    LifecycleEvent::Exited(_) | LifecycleEvent::EndUnknown { .. }
                )
            })
        })
        .await
        .map(|_| ())
}

/// Judges the streams: what was due until shortly before the proxy's TERM must be answered and inspected, whenever it ends; of the
/// rest only that no attack reaches the application.
async fn judge_streams(
    spec: &DrainSpec,
    prepared: &[Prepared; 2],
    report: &DriveReport,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod.timeline();
    let asked = deletion_asked_at(&timeline);
    let due_until = earliest_term(&timeline, PROXY_CONTAINER)
        .and_then(|term| term.checked_sub(TERM_MARGIN).ok());
    let position = spec
        .stream
        .as_ref()
        .map(|stream| stream.per_second.position)
        .unwrap_or_default();
    let absence = Absence::of_agent(spec, &timeline);
    let mut judged_while_draining = 0_u64;
    let mut without_agent = 0_u64;
    let mut outcomes = Vec::new();
    for joined in joined {
        let (case, prepared, usual) = match joined.client.stream.as_str() {
            ATTACK => (ATTACK, &prepared[1], Outcome::BlockedByAgent),
            _ => (BENIGN, &prepared[0], Outcome::Allowed),
        };
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        let due = due_until.is_none_or(|until| joined.client.intended_at < until);
        if due && asked.is_some_and(|asked| joined.client.intended_at >= asked) {
            judged_while_draining += 1;
        }
        let leaked = case == ATTACK && judgement.outcome.reached_application();
        let right = absence.right_for(&joined, usual);
        if due && Some(judgement.outcome) == absence.outcome {
            without_agent += 1;
        }
        if leaked || (due && !right.contains(&judgement.outcome)) {
            let names: Vec<&str> = right.iter().map(|outcome| outcome.as_str()).collect();
            let finding = Finding::new(
                if leaked { "leaked-attack" } else { "outcome" },
                position,
                names.join(" or "),
                judgement.outcome.as_str(),
            )
            .about(case, &RequestId::from_witness(&joined.client.id));
            proceedings
                .findings
                .push(place_in_time(finding, &joined, &judgement, &timeline));
        }
        proceedings.requests.push(JudgedRequest::new(
            case,
            &prepared.planned,
            joined,
            judgement,
        ));
    }
    proceedings.observations.insert(
        "requests judged between deletion and TERM".into(),
        judged_while_draining.to_string(),
    );
    if let Some(wanted) = spec
        .stream
        .as_ref()
        .and_then(|stream| stream.without_agent.as_ref())
    {
        proceedings.observations.insert(
            format!("requests {} without the agent", **wanted),
            without_agent.to_string(),
        );
        if without_agent == 0 {
            proceedings.findings.push(Finding::new(
                "drain",
                wanted.position,
                format!("requests are {} once the agent has ended", **wanted),
                "none was",
            ));
        }
    }
    if judged_while_draining == 0 {
        proceedings.findings.push(Finding::new(
            "drain",
            position,
            "requests are sent while the preStop hooks run",
            "none was due before the proxy had its TERM: nothing was tested",
        ));
    }
    close_books(report, &outcomes, deployment, proceedings).await
}

/// The time in which the agent has ended and the proxy has not.
struct Absence {
    outcome: Option<Outcome>,
    term: Option<Timestamp>,
    exit: Option<Timestamp>,
}

impl Absence {
    fn of_agent(spec: &DrainSpec, timeline: &[TimelineEvent]) -> Self {
        let stream = spec.stream.as_ref();
        Self {
            outcome: stream.and_then(|stream| stream.without_agent.as_deref().copied()),
            term: earliest_term(timeline, AGENT_CONTAINER),
            exit: first(timeline, Some(AGENT_CONTAINER), |event| {
                matches!(event, LifecycleEvent::Exited(_))
            }),
        }
    }

    /// Returns the outcomes that are right for a request, by when it was under way.
    fn right_for(&self, joined: &Joined, usual: Outcome) -> Vec<Outcome> {
        let client = &joined.client;
        let (Some(outcome), Some(term)) = (self.outcome, self.term) else {
            return vec![usual];
        };
        // A check that was begun well before TERM is one that the agent has to finish.
        let was_begun = client.sent_at.is_some_and(|sent| sent < term - TERM_MARGIN);
        if client.finished_at < term || was_begun {
            return vec![usual];
        }
        let is_gone = self
            .exit
            .is_some_and(|exit| client.sent_at.is_some_and(|sent| sent > exit));
        if is_gone {
            vec![outcome]
        } else {
            vec![usual, outcome]
        }
    }
}

fn deletion_asked_at(timeline: &[TimelineEvent]) -> Option<Timestamp> {
    first(timeline, None, |event| {
        matches!(event, LifecycleEvent::DeletionRequested { .. })
    })
}

/// Envoy's counters end with it; the books are drawn up without them.
pub(super) async fn close_books(
    report: &DriveReport,
    outcomes: &[Outcome],
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let books = deployment
        .draw_up(report.summary.sent, outcomes, None, None)
        .await?;
    record_books(books, proceedings);
    Ok(())
}

async fn judge_in_flight(
    requests: &[Expected],
    report: &DriveReport,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod.timeline();
    let asked = deletion_asked_at(&timeline);
    let ended_after = joined
        .iter()
        .filter(|joined| asked.is_some_and(|asked| joined.client.finished_at > asked))
        .count();
    let remark = |joined: &Joined| {
        Some(format!(
            "ended {}",
            phase_at(&timeline, joined.client.finished_at)
        ))
    };
    let outcomes = judge_joined(requests, &joined, remark, proceedings);
    proceedings.observations.insert(
        "requests under way at the deletion that were answered".into(),
        ended_after.to_string(),
    );
    if ended_after < requests.len() {
        proceedings.findings.push(Finding::new(
            "drain",
            Position::default(),
            format!(
                "{} slow requests are under way when the deletion is asked for",
                requests.len()
            ),
            format!("{ended_after} were"),
        ));
    }
    close_books(report, &outcomes, deployment, proceedings).await
}
