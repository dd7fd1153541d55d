//! The part of `drain` with two streams: what is due before the proxy's TERM is answered and inspected, and no attack ever gets through.

use super::totals::reconcile;
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::drain::{DrainSpec, DrainStream};
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::stream_pair::StreamPair;
use crate::procedure::waits::DENIED_IN_A_ROW;
use harness_verdict::judge::drain::{StreamRequest, StreamsExpectation, judge_streams};

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
    let stream = spec.stream.as_ref();
    let expectation = StreamsExpectation {
        position: stream
            .map(|stream| stream.per_second.position)
            .unwrap_or_default(),
        without_agent: stream.and_then(|stream| stream.without_agent),
    };
    let requests: Vec<StreamRequest<'_>> = joined
        .iter()
        .map(|joined| {
            let stream = pair.of(&joined.client);
            StreamRequest {
                kind: stream.kind,
                case: stream.case,
                joined,
            }
        })
        .collect();
    let timeline = deployment.pod().timeline();
    let (judged, judgements) = judge_streams(&expectation, &requests, &timeline);
    results.absorb(judged);
    let mut outcomes = Vec::new();
    for (joined, judgement) in joined.into_iter().zip(judgements) {
        outcomes.push(judgement.outcome);
        let judged = pair.of(&joined.client).judged(joined, judgement);
        results.requests.push(judged);
    }
    reconcile(report, &outcomes, deployment, results).await
}
