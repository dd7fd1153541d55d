//! `refusal`: a deployment that the agent must refuse loudly, without letting anything through meanwhile.
//!
//! Requests are sent from the proxy's first moment on, until the agent has refused, been restarted and refused again: an agent that
//! serves for a while before it refuses is found.

use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use async_trait::async_trait;
use harness_core::model::finding_kind::FindingKind;
use std::time::Duration;

use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{check_deployment, judge_requests, record_reconciliation};
use crate::procedure::expected::{Expected, requests_of_cases};
use crate::procedure::plan::repeat_stream;
use crate::procedure::refusal::RefusalSpec;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::timeline::{ExitStatus, LifecycleEvent, TimelineEvent};
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::AGENT_CONTAINER;
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::exchange::describe_witnesses;
use harness_verdict::judge::lifecycle::{exit_after, phase_at, render};
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
        let spec = self;
        check_deployment(deployment, &spec.lint, results);
        deployment.await_proxy_live().await?;
        let mut streamed = Vec::new();
        for case in &spec.cases {
            let name = format!("{}-stream", *case.name);
            let prepared = deployment.ids.prepare_repeated(&case.request, &name)?;
            streamed.push(Expected {
                case: name,
                prepared,
                expect: case.expect.clone(),
                cell: None,
                undeliverable: None,
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
        await_refusals(spec, deployment, results).await?;
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
        judge_log(&spec.says, deployment, results).await?;
        let requests = requests_of_cases(&spec.cases, deployment)?;
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
        Err(ProcedureError::TimedOut(timed_out)) => results.findings.push(
            Finding::new(
                FindingKind::Refusal,
                position,
                format!(
                    "the agent refuses the deployment {REFUSALS} times within {}",
                    timed_out.budget
                ),
                "it still runs, or was not started again",
            )
            .note(timed_out.last_seen),
        ),
        Err(error) => return Err(error),
    }
    let timeline = deployment.pod().timeline();
    for (started, exited) in lives(&timeline) {
        let ran = exited.at.duration_since(started.at);
        if ran > within.as_duration().try_into().unwrap_or_default() {
            results.findings.push(
                Finding::new(
                    FindingKind::Refusal,
                    position,
                    format!("the agent ends within {within}"),
                    format!("it ran for {} ms", ran.as_millis()),
                )
                .note(render(&timeline, Some(AGENT_CONTAINER))),
            );
        }
    }
    match exit_after(&timeline, AGENT_CONTAINER).map(ExitStatus::as_container_exit_code) {
        Some(0) => results.findings.push(
            Finding::new(
                FindingKind::Refusal,
                position,
                "the agent ends with an exit code other than 0",
                "it ended with 0",
            )
            .note(render(&timeline, Some(AGENT_CONTAINER))),
        ),
        Some(code) => {
            results
                .observations
                .insert("the agent's exit code".into(), code.to_string());
        }
        None => {}
    }
    Ok(())
}

fn of_agent(
    timeline: &[TimelineEvent],
    wanted: fn(&LifecycleEvent) -> bool,
) -> Vec<&TimelineEvent> {
    timeline
        .iter()
        .filter(|event| event.container.as_deref() == Some(AGENT_CONTAINER) && wanted(&event.event))
        .collect()
}

/// Returns each start of the agent with its exit, where that is known.
fn lives(timeline: &[TimelineEvent]) -> Vec<(&TimelineEvent, &TimelineEvent)> {
    let events = of_agent(timeline, |event| {
        matches!(
            event,
            LifecycleEvent::Started { .. } | LifecycleEvent::Exited(_)
        )
    });
    let pairs = events.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(started, ended)| {
            matches!(started.event, LifecycleEvent::Started { .. })
                && matches!(ended.event, LifecycleEvent::Exited(_))
        })
        .collect()
}

fn exits(timeline: &[TimelineEvent]) -> Vec<&TimelineEvent> {
    of_agent(timeline, |event| matches!(event, LifecycleEvent::Exited(_)))
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
        if judgement.outcome != *stream.expect.outcome {
            let mut finding = Finding::new(
                FindingKind::Outcome,
                stream.expect.outcome.position,
                *stream.expect.outcome,
                judgement.outcome,
            )
            .about(&stream.case, &RequestId::from_witness(&joined.client.id))
            .note(format!(
                "sent {}",
                phase_at(&timeline, joined.client.intended_at)
            ));
            finding.notes.extend(judgement.reasons.iter().cloned());
            finding.notes.extend(describe_witnesses(&joined));
            results.findings.push(finding);
        }
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_start_has_its_own_exit_and_no_later_ones() {
        let event = |second, event| TimelineEvent {
            at: Timestamp::from_second(second).expect("valid"),
            container: Some(AGENT_CONTAINER.into()),
            event,
        };
        let started = |restart_count| LifecycleEvent::Started { restart_count };
        let exited = || LifecycleEvent::Exited(ExitStatus::Code(2));
        let unknown = LifecycleEvent::EndUnknown {
            reason: "nobody looked".into(),
        };
        let timeline = [
            event(0, started(0)),
            event(1, unknown),
            event(2, started(1)),
            event(3, exited()),
            event(14, started(2)),
            event(15, exited()),
        ];
        let lives: Vec<_> = lives(&timeline)
            .iter()
            .map(|(started, exited)| (started.at.as_second(), exited.at.as_second()))
            .collect();
        assert_eq!(lives, [(2, 3), (14, 15)]);
        assert_eq!(exits(&timeline).len(), REFUSALS);
    }
}
