//! `startup`: attacks are sent to the pod's Service from the pod's first moment on, until the rules apply.

use async_trait::async_trait;

use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{check_deployment, judge_controls, record_reconciliation};
use crate::procedure::interface::CarryOut;
use crate::procedure::plan::repeat_stream;
use crate::procedure::pods::OnePod;
use crate::procedure::startup::{ProbeExpectation, ReadinessExpectation, StartupSpec};
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::timeline::LifecycleEvent;
use harness_core::stack::AGENT_CONTAINER;
use harness_verdict::judge::lifecycle::{first, judge_startup_probe};
use harness_verdict::judge::startup::{
    AttackExpectation, Enforcement, Entrance, judge_attacks, judge_closed, judge_gap,
    judge_lasting_readiness, judge_time_to_ready,
};
use harness_verdict::witness::counters::Counters;

/// The case that the attacks belong to.
pub(super) const CASE: &str = "attack-from-the-start";

#[async_trait]
impl CarryOut<OnePod> for StartupSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_deployment(deployment, &self.lint, results);
        let attack = deployment.ids.prepare_repeated(&self.attack, CASE)?;
        let stream = repeat_stream(
            CASE,
            &match self.through {
                Entrance::Proxy => deployment.proxy_address(),
                Entrance::Service => deployment.pod().addresses().service,
            },
            *self.per_second,
            attack.planned.clone(),
            u32::MAX,
        );
        let mut drive = deployment.start_drive(vec![stream]).await?;
        let enforcement = match self.readiness {
            ReadinessExpectation::Never => {
                await_failed_start(deployment).await?;
                Enforcement::NotSeen
            }
            ReadinessExpectation::Reached => {
                let budget = deployment.timeouts.pod_ready.as_duration();
                deployment
                    .await_denials(&mut drive, |_| true, *self.until_denied as usize, budget)
                    .await?
            }
        };
        drive.stop().await?;
        let report = deployment.finish_drive(drive).await?;
        let joined = deployment.settle(&report.records).await?;
        // A pod that is never ready may be judged before its proxy has come up.
        deployment.await_proxy_live().await?;
        // The proxy was started with this pod: all that it has counted belongs to the stream.
        let after = deployment.counters().await?;
        if self.readiness == ReadinessExpectation::Reached {
            // The stream may have ended before the probe's next period.
            deployment.await_ready().await?;
        }

        let timeline = deployment.pod().timeline();
        let to_ready = self.ready_within;
        results
            .findings
            .extend(to_ready.and_then(|bound| judge_time_to_ready(bound, &timeline)));
        let expectation = AttackExpectation {
            case: CASE,
            through: self.through,
            until_denied: self.until_denied,
            leaks: self.leaks,
        };
        let (attacks, found) = judge_attacks(&expectation, joined, &timeline);
        results.findings.extend(found);
        let position = self.leaks.position;
        match self.readiness {
            ReadinessExpectation::Never => {
                results.absorb(judge_closed(position, &attacks, &timeline));
            }
            ReadinessExpectation::Reached => {
                results.absorb(judge_gap(&expectation, &attacks, enforcement, &timeline));
                results
                    .findings
                    .extend(judge_lasting_readiness(position, &timeline));
            }
        }
        let mut outcomes = Vec::new();
        for (joined, judgement) in attacks.requests {
            outcomes.push(judgement.outcome);
            let judged = JudgedRequest::new(CASE, &attack.planned, joined, judgement);
            results.requests.push(judged);
        }
        if let Some(probe) = &self.probe {
            match **probe {
                ProbeExpectation::FailsThenSucceedsOnce => results.findings.extend(
                    judge_startup_probe(&timeline, AGENT_CONTAINER, probe.position),
                ),
            }
        }
        let reconciliation = deployment
            .reconcile(
                report.summary.sent,
                &outcomes,
                Some((&Counters::default(), &after)),
                None,
            )
            .await?;
        record_reconciliation(reconciliation, results);
        judge_log(&self.says, deployment, results).await?;
        match self.readiness {
            ReadinessExpectation::Never => Ok(()),
            ReadinessExpectation::Reached => {
                judge_controls(&self.attack, &self.benign, deployment, results).await
            }
        }
    }
}

/// Waits until the startup probe has failed so often that the agent is started again, or the pod is ready after all.
async fn await_failed_start(deployment: &Deployment) -> Result<(), ProcedureError> {
    deployment
        .await_timeline(
            "the agent to be restarted because its startup probe fails",
            deployment.timeouts.restarted,
            |timeline| {
                let restarted = first(timeline, Some(AGENT_CONTAINER), |event| {
                    matches!(event, LifecycleEvent::Started { restart_count: 1.. })
                });
                restarted.or_else(|| {
                    first(timeline, None, |event| {
                        matches!(event, LifecycleEvent::PodReady)
                    })
                })
            },
        )
        .await
        .map(|_| ())
}
