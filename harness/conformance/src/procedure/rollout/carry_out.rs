//! `rollout`: a fleet of pods changes while a benign stream and a stream of attacks go on through its Service.

use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::progress::{ATTACK, BENIGN, Progress};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::check_stack;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::PodFleet;
use crate::procedure::rollout::{RolloutSpec, StreamConnection};
use crate::procedure::stream_pair::StreamPair;
use harness_core::model::outcome::Outcome;
use harness_core::model::phase::Phase;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::plan::ConnectionUse;
use harness_verdict::judge::rollout::{StreamRequest, Timelines, judge_denials, judge_streams};
use harness_verdict::witness::fleet::FleetJoined;

#[async_trait]
impl CarryOut<PodFleet> for RolloutSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment<PodFleet>,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_stack(&deployment.stack, &deployment.proxy, &self.lint, results);

        {
            let _phase = deployment.clock.enter(Phase::Starting);
            deployment.await_settled().await?;
        }
        super::controls::await_enforcing(self, deployment).await?;
        super::controls::judge_controls(self, deployment, results).await?;

        let pair = StreamPair::prepare(
            &deployment.ids,
            (BENIGN, &self.benign),
            (ATTACK, &self.attack),
        )?;
        let per_second = |kind| match kind {
            StreamKind::Attack => self.rates.attack,
            StreamKind::Benign => self.rates.benign,
        };
        let mut streams = pair.streams(&deployment.fleet().service(), per_second, u32::MAX);
        match self.benign_connection.as_deref() {
            Some(StreamConnection::Persistent) => {
                for stream in streams.iter_mut().filter(|stream| stream.name == BENIGN) {
                    stream.connection = ConnectionUse::Keep;
                }
            }
            Some(StreamConnection::Separate) | None => {}
        }
        let drive = deployment.start_drive(streams).await?;
        let progress = Progress::default();
        let (report, taken) = {
            let _phase = deployment.clock.enter(Phase::Traffic);
            tokio::try_join!(
                read_on(drive, &progress),
                super::steps::take_all(self, deployment, &progress)
            )?
        };
        super::steps::report(&taken, results);
        deployment.remember_sent(&report.records);
        let joined = deployment.settle_by_pod(&report.records, 0).await?;
        let outcomes = judge_pair(self, &pair, joined, deployment, results);
        deployment
            .reconcile_all(report.summary.sent, &outcomes, results)
            .await?;
        super::joining::judge(self, taken, deployment, results).await
    }
}

/// Judges both streams and the statuses of their denials; returns the outcome of each request.
fn judge_pair(
    spec: &RolloutSpec,
    pair: &StreamPair,
    joined: Vec<FleetJoined>,
    deployment: &Deployment<PodFleet>,
    results: &mut ProcedureResults,
) -> Vec<Outcome> {
    let timelines: Timelines = deployment
        .fleet()
        .pods()
        .into_iter()
        .map(|member| (member.name, member.pod.timeline()))
        .collect();
    let requests: Vec<StreamRequest<'_>> = joined
        .iter()
        .map(|request| {
            let stream = pair.of(&request.joined.client);
            StreamRequest {
                kind: stream.kind,
                case: stream.case,
                request,
            }
        })
        .collect();
    let (judged, judgements) = judge_streams(&spec.stream_expectation(), &requests, &timelines);
    results.absorb(judged);
    let first = spec.denied_with.map(|status| status.position);
    let statuses = super::statuses::expected(spec);
    results.absorb(judge_denials(
        &statuses,
        first.unwrap_or_default(),
        &requests,
    ));
    let mut outcomes = Vec::new();
    for (request, judgement) in joined.into_iter().zip(judgements) {
        outcomes.push(judgement.outcome);
        let stream = pair.of(&request.joined.client);
        results
            .requests
            .push(stream.judged(request.joined, judgement));
    }
    outcomes
}

/// Takes the records as they come, and says how many there are. When the steps are over the driver is told to stop.
async fn read_on(mut drive: Drive, progress: &Progress) -> Result<DriveReport, ProcedureError> {
    while !progress.is_over.load(Ordering::Relaxed) && drive.next().await?.is_some() {
        progress.records.send_replace(drive.records().len());
    }
    drive.stop().await?;
    drive.finish().await
}
