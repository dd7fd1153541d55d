//! `drain`: the pod is deleted while requests go on; none may be cut and no attack may slip through.

use super::deployment::{DENIED_IN_A_ROW, Deployment, POLL_INTERVAL};
use super::drive::Drive;
use super::error::ProcedureError;
use super::exchange::{
    Expected, check_deployment, judge_controls, record_books, requests_of_cases,
};
use super::plan::{Prepared, list_stream, repeat_stream};
use super::{JudgedRequest, Proceedings};
use crate::judge::exchange::{Subject, describe_witnesses, judge};
use crate::judge::lifecycle::{first, judge_end, phase_at};
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::outcome::Outcome;
use crate::model::procedure::{DrainSpec, DrainStream};
use crate::model::timeline::LifecycleEvent;
use crate::model::timeouts::TimedOut;
use crate::model::timespan::TimeSpan;
use crate::stack::PROXY_CONTAINER;
use crate::traffic::plan::Pacing;
use crate::traffic::record::ClientRecord;
use crate::witness::books::{Books, Sources};
use crate::witness::join::Joined;
use crate::witness::outcome::decide;

/// Records of the streams that come before the deletion is asked for.
const WARM_UP: usize = 10 * DENIED_IN_A_ROW;
/// Kubernetes' default grace period.
const DEFAULT_GRACE_PERIOD_SECONDS: u64 = 30;
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
    let judged_before = proceedings.requests.len();
    let streams = match &spec.stream {
        Some(stream) => Some(start_streams(stream, deployment).await?),
        None => None,
    };
    let in_flight = requests_of_cases(&spec.in_flight, deployment)?;
    let in_flight_drive = start_in_flight(&in_flight, deployment).await?;

    deployment.pod.request_deletion().await?;
    let mut sent = 0;
    let mut records: Vec<ClientRecord> = Vec::new();
    if let Some(streams) = streams {
        await_proxy_term(deployment).await?;
        let mut drive = streams.drive;
        drive.stop().await?;
        let report = deployment.finish_drive(drive).await?;
        sent += report.summary.sent;
        judge_streams(
            spec,
            &streams.prepared,
            &report.records,
            deployment,
            proceedings,
        )
        .await?;
        records.extend(report.records);
    }
    if let Some(drive) = in_flight_drive {
        let report = deployment.finish_drive(drive).await?;
        sent += report.summary.sent;
        judge_in_flight(in_flight, &report.records, deployment, proceedings).await?;
        records.extend(report.records);
    }
    await_gone(deployment).await?;

    let timeline = deployment.pod.timeline();
    for container in &spec.containers {
        proceedings.findings.extend(judge_end(&timeline, container));
    }
    let outcomes: Vec<Outcome> = proceedings.requests[judged_before..]
        .iter()
        .map(|request| request.judgement.outcome)
        .collect();
    let books = Books::draw_up(&Sources {
        sent,
        outcomes: &outcomes,
        known_ids: &deployment.known_ids(),
        testimony: &deployment.testimony().await?,
        counters: None,
        access_log_entries: None,
    });
    record_books(books, proceedings);
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
    let benign = deployment.prepare_repeated(&stream.benign, BENIGN)?;
    let attack = deployment.prepare_repeated(&stream.attack, ATTACK)?;
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
            let testimony = deployment.testimony().await?;
            let under_way = requests
                .iter()
                .filter(|request| request.expect.outcome.reached_application())
                .all(|request| {
                    testimony
                        .upstream
                        .contains_key(&request.prepared.planned.id)
                });
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

fn grace_period(deployment: &Deployment) -> std::time::Duration {
    let seconds = deployment
        .stack
        .pod
        .termination_grace_period_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .unwrap_or(DEFAULT_GRACE_PERIOD_SECONDS);
    std::time::Duration::from_secs(seconds)
}

async fn await_proxy_term(deployment: &Deployment) -> Result<(), ProcedureError> {
    let budget =
        TimeSpan::new(grace_period(deployment) + deployment.timeouts.pod_gone.as_duration());
    deployment
        .await_timeline("the proxy to be sent TERM", budget, |timeline| {
            first(timeline, Some(PROXY_CONTAINER), |event| {
                matches!(event, LifecycleEvent::TermSent { .. })
            })
        })
        .await
        .map(|_| ())
}

async fn await_gone(deployment: &Deployment) -> Result<(), ProcedureError> {
    let budget =
        TimeSpan::new(grace_period(deployment) + deployment.timeouts.pod_gone.as_duration());
    deployment
        .await_timeline("the pod to be gone", budget, |timeline| {
            first(timeline, None, |event| {
                matches!(event, LifecycleEvent::PodGone)
            })
        })
        .await
        .map(|_| ())
}

/// Judges the streams: until the proxy has its TERM every request is answered and inspected; afterwards requests may be
/// lost and still no attack may reach the application.
async fn judge_streams(
    spec: &DrainSpec,
    prepared: &[Prepared; 2],
    records: &[ClientRecord],
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let (joined, _) = deployment.settle(records).await?;
    let timeline = deployment.pod.timeline();
    let term = first(&timeline, Some(PROXY_CONTAINER), |event| {
        matches!(event, LifecycleEvent::TermSent { .. })
    });
    let asked = first(&timeline, None, |event| {
        matches!(event, LifecycleEvent::DeletionRequested { .. })
    });
    let position = spec
        .stream
        .as_ref()
        .map(|stream| stream.per_second.position)
        .unwrap_or_default();
    let mut answered_while_draining = 0_u64;
    for joined in &joined {
        let (case, prepared, usual) = match joined.client.stream.as_str() {
            ATTACK => (ATTACK, &prepared[1], Outcome::BlockedByAgent),
            _ => (BENIGN, &prepared[0], Outcome::Allowed),
        };
        let judgement = decide(joined);
        let before_term = term.is_none_or(|term| joined.client.finished_at < term);
        let draining = asked.is_some_and(|asked| joined.client.intended_at >= asked);
        if draining && before_term && judgement.outcome == usual {
            answered_while_draining += 1;
        }
        let leaked = case == ATTACK && judgement.outcome.reached_application();
        let lost = before_term && judgement.outcome != usual;
        if leaked || lost {
            let mut finding = Finding::new(
                if leaked { "leaked-attack" } else { "outcome" },
                position,
                usual.as_str(),
                judgement.outcome.as_str(),
            )
            .about(case, &RequestId::from_witness(&joined.client.id))
            .note(format!(
                "sent {}",
                phase_at(&timeline, joined.client.intended_at)
            ))
            .note(format!(
                "ended {}",
                phase_at(&timeline, joined.client.finished_at)
            ));
            finding.notes.extend(judgement.reasons.iter().cloned());
            finding.notes.extend(describe_witnesses(joined));
            proceedings.findings.push(finding);
        }
        keep(case, prepared, joined, judgement, proceedings);
    }
    proceedings.observations.insert(
        "requests answered and inspected between deletion and TERM".into(),
        answered_while_draining.to_string(),
    );
    if answered_while_draining == 0 {
        proceedings.findings.push(Finding::new(
            "drain",
            position,
            "requests are answered and inspected while the preStop hooks run",
            "none was",
        ));
    }
    Ok(())
}

async fn judge_in_flight(
    requests: Vec<Expected>,
    records: &[ClientRecord],
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let (joined, _) = deployment.settle(records).await?;
    let timeline = deployment.pod.timeline();
    let mut ended_after_deletion = 0_u64;
    let asked = first(&timeline, None, |event| {
        matches!(event, LifecycleEvent::DeletionRequested { .. })
    });
    for request in requests {
        let planned = &request.prepared.planned;
        let Some(joined) = joined.iter().find(|joined| joined.client.id == planned.id) else {
            continue;
        };
        if asked.is_some_and(|asked| joined.client.finished_at > asked) {
            ended_after_deletion += 1;
        }
        let judgement = decide(joined);
        let subject = Subject {
            case: &request.case,
            planned,
            body_sha256: &request.prepared.body_sha256,
            joined,
            judgement: &judgement,
        };
        proceedings
            .findings
            .extend(judge(&subject, &request.expect).into_iter().map(|finding| {
                finding.note(format!(
                    "ended {}",
                    phase_at(&timeline, joined.client.finished_at)
                ))
            }));
        keep(
            &request.case,
            &request.prepared,
            joined,
            judgement,
            proceedings,
        );
    }
    proceedings.observations.insert(
        "requests under way at the deletion that were answered".into(),
        ended_after_deletion.to_string(),
    );
    if ended_after_deletion == 0 {
        proceedings.findings.push(Finding::new(
            "drain",
            crate::model::located::Position::default(),
            "slow requests are under way when the deletion is asked for",
            "all had ended before: nothing was tested",
        ));
    }
    Ok(())
}

fn keep(
    case: &str,
    prepared: &Prepared,
    joined: &Joined,
    judgement: crate::witness::outcome::Judgement,
    proceedings: &mut Proceedings,
) {
    proceedings.requests.push(JudgedRequest {
        case: case.into(),
        planned: crate::traffic::plan::PlannedRequest {
            id: joined.client.id.clone(),
            ..prepared.planned.clone()
        },
        joined: joined.clone(),
        judgement,
    });
}
