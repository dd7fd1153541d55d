//! `refusal`: a deployment that the agent must refuse loudly, without letting anything through meanwhile.
//!
//! Requests are sent from the proxy's first moment on, until the agent has refused, been restarted and refused again: an agent that
//! serves for a while before it refuses is found.

use std::time::Duration;

use async_trait::async_trait;

use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{check_deployment, judge_requests, record_reconciliation};
use crate::procedure::expected::{Expected, requests_of_cases};
use crate::procedure::interface::CarryOut;
use crate::procedure::plan::repeat_stream;
use crate::procedure::pods::OnePod;
use crate::procedure::refusal::RefusalSpec;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::located::Located;
use harness_core::model::timespan::TimeSpan;
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::refusal::{
    StreamedRequest, exits, judge_ends, judge_streamed, not_refused,
};
use harness_verdict::witness::outcome::decide;

/// The bound within which the agent must end when the scenario names none.
const DEFAULT_WITHIN: Duration = Duration::from_secs(5);
/// Requests per second of each stream.
const PER_SECOND: f64 = 50.0;
/// How many requests of each stream must have ended at least.
const ANSWERS_PER_STREAM: usize = 3;
/// How often the agent must refuse: once, and once more after its restart.
const REFUSALS: usize = 2;

#[async_trait]
impl CarryOut<OnePod> for RefusalSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_deployment(deployment, &self.lint, results);
        deployment.await_proxy_live().await?;
        let mut streamed = Vec::new();
        for case in &self.cases {
            let name = format!("{}-stream", *case.name);
            let prepared = deployment.ids.prepare_repeated(&case.request, &name)?;
            streamed.push(Expected {
                case: name,
                prepared,
                expect: case.expect.clone(),
                cell: None,
                undeliverable: None,
                written: None,
            });
        }
        let address = deployment.proxy_address();
        let streams = streamed
            .iter()
            .map(|stream| {
                let planned = stream.prepared.planned.clone();
                repeat_stream(&stream.case, &address, PER_SECOND, planned, u32::MAX)
            })
            .collect();
        let mut drive = deployment.start_drive(streams).await?;
        await_refusals(self, deployment, results).await?;
        // An agent that refuses at once has done so twice before the first answer.
        let wanted = ANSWERS_PER_STREAM * streamed.len();
        let budget = deployment.timeouts.first_answers();
        drive
            .await_records("answers while the agent refuses", budget, |records| {
                records.len() >= wanted
            })
            .await?;
        drive.stop().await?;
        let report = deployment.finish_drive(drive).await?;
        judge_streams(
            &streamed,
            &report.records,
            report.summary.sent,
            deployment,
            results,
        )
        .await?;
        judge_log(&self.says, deployment, results).await?;
        let requests = requests_of_cases(&self.cases, deployment)?;
        judge_requests(requests, deployment, results).await
    }
}

/// Waits until the agent has refused as often as it must, and judges how and how soon it did.
async fn await_refusals(
    spec: &RefusalSpec,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let position = spec
        .within
        .as_ref()
        .map(|within| within.position)
        .unwrap_or_default();
    let within = spec
        .within
        .as_ref()
        .map_or(TimeSpan::new(DEFAULT_WITHIN), |within| within.value);
    let refused = deployment
        .await_timeline(
            "the agent to end, be restarted and end again",
            deployment.timeouts.refusal,
            |timeline| (exits(timeline).len() >= REFUSALS).then_some(()),
        )
        .await;
    match refused {
        Ok(()) => {}
        Err(ProcedureError::TimedOut(timed_out)) => results
            .findings
            .push(not_refused(REFUSALS, position, timed_out)),
        Err(error) => return Err(error),
    }
    let timeline = deployment.pod().timeline();
    results.absorb(judge_ends(
        &Located {
            value: within,
            position,
        },
        &timeline,
    ));
    Ok(())
}

/// Judges the streams: the outcome of each request must be its case's.
async fn judge_streams(
    streamed: &[Expected],
    records: &[ClientRecord],
    sent: u64,
    deployment: &Deployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(records).await?;
    let timeline = deployment.pod().timeline();
    let mut outcomes = Vec::new();
    for joined in joined {
        let Some(stream) = streamed
            .iter()
            .find(|stream| stream.case == joined.client.stream)
        else {
            continue;
        };
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        let request = StreamedRequest {
            case: &stream.case,
            joined: &joined,
            judgement: &judgement,
        };
        let finding = judge_streamed(&request, stream.expect.outcome, &timeline);
        results.findings.extend(finding);
        results.requests.push(JudgedRequest::new(
            &stream.case,
            &stream.prepared.planned,
            joined,
            judgement,
        ));
    }
    let reconciliation = deployment.reconcile(sent, &outcomes, None, None).await?;
    record_reconciliation(reconciliation, results);
    Ok(())
}
