//! `drain`: the pod is deleted while requests go on; none may be cut and no attack may slip through.

use std::time::Duration;

use async_trait::async_trait;

use crate::procedure::ProcedureResults;
use crate::procedure::deployment::Deployment;
use crate::procedure::drain::DrainSpec;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{check_deployment, judge_controls};
use crate::procedure::expected::requests_of_cases;
use crate::procedure::interface::CarryOut;
use crate::procedure::pods::OnePod;
use harness_core::model::timeline::LifecycleEvent;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::PROXY_CONTAINER;
use harness_environment::EnvironmentFault;
use harness_verdict::judge::lifecycle::{first, judge_end};

#[async_trait]
impl CarryOut<OnePod> for DrainSpec {
    async fn carry_out(
        &self,
        deployment: &Deployment,
        results: &mut ProcedureResults,
    ) -> Result<(), ProcedureError> {
        check_deployment(deployment, &self.lint, results);
        deployment.await_ready_and_enforcing(results).await?;

        if let Some(stream) = &self.stream {
            judge_controls(&stream.attack, &stream.benign, deployment, results).await?;
        }
        let streams = match &self.stream {
            Some(stream) => Some(super::streams::start(stream, deployment).await?),
            None => None,
        };
        let clients = match &self.persistent_connections {
            Some(kept) => Some((kept, super::clients::start(kept, deployment).await?)),
            None => None,
        };
        let slow = requests_of_cases(&self.in_flight, deployment)?;
        let slow_drive = super::in_flight::start(&slow, deployment).await?;

        deployment.pod().request_deletion().await?;
        if let Some(streams) = streams {
            await_of_proxy("the proxy to be sent TERM", deployment, |event| {
                matches!(event, LifecycleEvent::TermSent { .. })
            })
            .await?;
            let mut drive = streams.drive;
            drive.stop().await?;
            let report = deployment.finish_drive(drive).await?;
            super::streams::judge(self, &streams.pair, &report, deployment, results).await?;
        }
        if let Some((kept, clients)) = clients {
            await_of_proxy("the proxy to end", deployment, |event| {
                matches!(
                    event,
                    LifecycleEvent::Exited(_) | LifecycleEvent::EndUnknown { .. }
                )
            })
            .await?;
            super::clients::finish(kept, clients, deployment, results).await?;
        }
        if let Some(drive) = slow_drive {
            let report = deployment.finish_drive(drive).await?;
            super::in_flight::judge(&slow, &report, deployment, results).await?;
        }
        deployment.await_gone().await?;
        let timeline = deployment.pod().timeline();
        for event in &timeline {
            if let (Some(container), LifecycleEvent::EndUnknown { reason }) =
                (&event.container, &event.event)
                && self
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
        for container in &self.containers {
            results.findings.extend(judge_end(&timeline, container));
        }
        Ok(())
    }
}

/// Waits for an event of the proxy, which comes within the grace period and the time for the pod's end.
async fn await_of_proxy(
    waited_for: &str,
    deployment: &Deployment,
    wanted: fn(&LifecycleEvent) -> bool,
) -> Result<(), ProcedureError> {
    let grace = Duration::from_secs(deployment.stack.grace_period_seconds());
    let budget = TimeSpan::new(grace + deployment.timeouts.pod_gone.as_duration());
    deployment
        .await_timeline(waited_for, budget, |timeline| {
            first(timeline, Some(PROXY_CONTAINER), wanted)
        })
        .await
        .map(|_| ())
}
