//! The part of `drain` with two streams: what is due before the proxy's TERM is answered and inspected, and no attack ever gets through.

use super::absence::Absence;
use super::carry_out::reconcile;
use super::due::{Draining, Due};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::drain::DrainSpec;
use crate::procedure::drain::DrainStream;
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::stream_pair::StreamPair;
use crate::procedure::waits::DENIED_IN_A_ROW;
use harness_core::model::datum::Datum;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::stream_kind::StreamKind;
use harness_verdict::judge::lifecycle::place_in_time;
use harness_verdict::witness::outcome::decide;

/// Records of the streams that come before the deletion is asked for.
const WARM_UP: usize = 10 * DENIED_IN_A_ROW;
/// Both streams under way.
pub(super) struct Streams {
    pub(super) drive: Drive,
    pub(super) pair: StreamPair,
}

/// Starts both and waits for their first answers.
pub(super) async fn start(
    stream: &DrainStream,
    deployment: &Deployment,
) -> Result<Streams, ProcedureError> {
    let pair = StreamPair::prepare(
        &deployment.ids,
        ("benign-stream", &stream.benign),
        ("attack-stream", &stream.attack),
    )?;
    let address = deployment.proxy_address();
    let streams = pair.streams(&address, |_| *stream.per_second, u32::MAX);
    let mut drive = deployment.start_drive(streams).await?;
    let waited_for = "answers from before the pod's deletion";
    let budget = deployment.timeouts.first_answers();
    drive
        .await_records(waited_for, budget, |records| records.len() >= WARM_UP)
        .await?;
    Ok(Streams { drive, pair })
}

/// Judges the streams: what is over before the proxy's TERM must be answered and inspected, and so must be nearly all that was due well before
/// it; of the rest only that no attack reaches the application.
pub(super) async fn judge(
    spec: &DrainSpec,
    pair: &StreamPair,
    report: &DriveReport,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod().timeline();
    let mut draining = Draining::of(&timeline);
    let position = spec
        .stream
        .as_ref()
        .map(|stream| stream.per_second.position)
        .unwrap_or_default();
    let absence = Absence::of_agent(spec, &timeline);
    let mut without_agent = 0_u64;
    let mut outcomes = Vec::new();
    for joined in joined {
        let stream = pair.of(&joined.client);
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        let due = draining.enter(stream.kind, &joined.client) == Due::Answered;
        let leaked = stream.kind == StreamKind::Attack && judgement.outcome.reached_application();
        let right = absence.right_for(&joined, stream.kind.usual());
        if due && Some(judgement.outcome) == absence.outcome {
            without_agent += 1;
        }
        if leaked || (due && !right.contains(&judgement.outcome)) {
            let finding = Finding::new(
                if leaked {
                    FindingKind::LeakedAttack
                } else {
                    FindingKind::Outcome
                },
                position,
                Datum::any_of(right.iter().copied()),
                judgement.outcome,
            )
            .about(stream.case, &RequestId::from_witness(&joined.client.id));
            results
                .findings
                .push(place_in_time(finding, &joined, &judgement, &timeline));
        }
        let judged = stream.judged(joined, judgement);
        results.requests.push(judged);
    }
    if let Some(wanted) = spec
        .stream
        .as_ref()
        .and_then(|stream| stream.without_agent.as_ref())
    {
        results.observations.insert(
            format!("requests {} without the agent", **wanted),
            without_agent.to_string(),
        );
        if without_agent == 0 {
            results.findings.push(Finding::new(
                FindingKind::FailureMode,
                wanted.position,
                format!("requests are {} once the agent has ended", **wanted),
                "none was",
            ));
        }
    }
    draining.judge(position, results);
    reconcile(report, &outcomes, deployment, results).await
}
