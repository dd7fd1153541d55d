//! `startup`: attacks are sent to the pod's Service from the pod's first moment on, until the rules apply.

use super::attacks::{Attacks, judge_attacks};
use super::gap::judge_gap;
use crate::procedure::ProcedureResults;
use crate::procedure::agent_log::judge_log;
use crate::procedure::deployment::Deployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{check_deployment, judge_controls, record_reconciliation};
use crate::procedure::interface::CarryOut;
use crate::procedure::plan::repeat_stream;
use crate::procedure::pods::OnePod;
use crate::procedure::startup::Entrance;
use crate::procedure::startup::ProbeExpectation;
use crate::procedure::startup::ReadinessExpectation;
use crate::procedure::startup::StartupSpec;
use crate::procedure::waits::Enforcement;
use async_trait::async_trait;
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::outcome::Outcome;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::AGENT_CONTAINER;
use harness_verdict::judge::lifecycle::{first, judge_startup_probe, phase_at, render};
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
        let spec = self;
        check_deployment(deployment, &spec.lint, results);
        let attack = deployment.ids.prepare_repeated(&spec.attack, CASE)?;
        let stream = repeat_stream(
            CASE,
            &match spec.through {
                Entrance::Proxy => deployment.proxy_address(),
                Entrance::Service => deployment.pod().addresses().service,
            },
            *spec.per_second,
            attack.planned.clone(),
            u32::MAX,
        );
        let mut drive = deployment.start_drive(vec![stream]).await?;
        let enforcement = match spec.readiness {
            ReadinessExpectation::Never => {
                await_failed_start(deployment).await?;
                Enforcement::NotSeen
            }
            ReadinessExpectation::Reached => {
                let budget = deployment.timeouts.pod_ready.as_duration();
                deployment
                    .await_denials(&mut drive, |_| true, *spec.until_denied as usize, budget)
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
        if spec.readiness == ReadinessExpectation::Reached {
            // The stream may have ended before the probe's next period.
            deployment.await_ready().await?;
        }

        let timeline = deployment.pod().timeline();
        results
            .findings
            .extend(judge_time_to_ready(spec, &timeline));
        let attacks = judge_attacks(spec, joined, &attack.planned, &timeline, results);
        match spec.readiness {
            ReadinessExpectation::Never => judge_closed(spec, &attacks, &timeline, results),
            ReadinessExpectation::Reached => {
                judge_gap(spec, &attacks, enforcement, &timeline, results);
                results
                    .findings
                    .extend(judge_lasting_readiness(spec, &timeline));
            }
        }
        if let Some(probe) = &spec.probe {
            match **probe {
                ProbeExpectation::FailsThenSucceedsOnce => results.findings.extend(
                    judge_startup_probe(&timeline, AGENT_CONTAINER, probe.position),
                ),
            }
        }
        let reconciliation = deployment
            .reconcile(
                report.summary.sent,
                &attacks.outcomes,
                Some((&Counters::default(), &after)),
                None,
            )
            .await?;
        record_reconciliation(reconciliation, results);
        judge_log(&spec.says, deployment, results).await?;
        match spec.readiness {
            ReadinessExpectation::Never => Ok(()),
            ReadinessExpectation::Reached => {
                judge_controls(&spec.attack, &spec.benign, deployment, results).await
            }
        }
    }
}

/// Holds the time from the agent's start to the pod's readiness against the bound. What comes before is the node's to answer for.
fn judge_time_to_ready(spec: &StartupSpec, timeline: &[TimelineEvent]) -> Option<Finding> {
    let bound = spec.ready_within.as_ref()?;
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    })?;
    let started = first(timeline, Some(AGENT_CONTAINER), |event| {
        matches!(event, LifecycleEvent::Started { .. })
    })?;
    let took = ready.duration_since(started);
    (took.unsigned_abs() > bound.as_duration()).then(|| {
        Finding::new(
            FindingKind::TimeToReady,
            bound.position,
            format!("the pod is ready within {} of the agent's start", **bound),
            format!("after {} ms", took.as_millis()),
        )
        .note(render(timeline, None))
    })
}

/// Checks that a pod that became ready has not ceased to be: nobody has asked for its end.
fn judge_lasting_readiness(spec: &StartupSpec, timeline: &[TimelineEvent]) -> Option<Finding> {
    let ready = timeline
        .iter()
        .position(|event| matches!(event.event, LifecycleEvent::PodReady))?;
    let ceased = timeline[ready..]
        .iter()
        .find(|event| matches!(event.event, LifecycleEvent::PodNotReady))?;
    Some(
        Finding::new(
            FindingKind::Readiness,
            spec.leaks.position,
            "a pod that is ready stays ready",
            format!("it ceased to be, {}", phase_at(timeline, ceased.at)),
        )
        .note(render(timeline, None)),
    )
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

/// Checks that a pod that is never ready has served nothing.
fn judge_closed(
    spec: &StartupSpec,
    attacks: &Attacks,
    timeline: &[TimelineEvent],
    results: &mut ProcedureResults,
) {
    let ready = first(timeline, None, |event| {
        matches!(event, LifecycleEvent::PodReady)
    });
    let served = attacks
        .outcomes
        .iter()
        .filter(|outcome| **outcome != Outcome::Lost)
        .count();
    if attacks.outcomes.is_empty() {
        results.findings.push(Finding::new(
            FindingKind::NotExercised,
            spec.leaks.position,
            "attacks are sent while the pod is not ready",
            "none was: nothing was tested",
        ));
    }
    if ready.is_some() || served > 0 {
        results.findings.push(
            Finding::new(
                FindingKind::Readiness,
                spec.leaks.position,
                "the pod is never ready and serves nothing",
                format!(
                    "it was {}ready and answered {served} requests",
                    if ready.is_some() { "" } else { "not " }
                ),
            )
            .note(render(timeline, None)),
        );
    }
    results.observations.insert(
        "requests refused".into(),
        (attacks.outcomes.len() - served).to_string(),
    );
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn judged(agent_started_after: i64, ready_after: i64) -> Option<Finding> {
        let text = "attack: {target: /a}\nbenign: {target: /}\nper-second: 1\nuntil-denied: 1\nleaks: none\nready-within: 10s";
        let spec: StartupSpec = serde_saphyr::from_str(text).expect("well-formed");
        let started = LifecycleEvent::Started { restart_count: 0 };
        let timeline = [
            (0, None, LifecycleEvent::PodCreated),
            (agent_started_after, Some(AGENT_CONTAINER), started),
            (ready_after, None, LifecycleEvent::PodReady),
        ]
        .map(|(after, container, event)| TimelineEvent {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(after),
            container: container.map(Into::into),
            event,
        });
        judge_time_to_ready(&spec, &timeline)
    }

    #[test]
    fn an_agent_is_not_blamed_for_what_a_node_takes_to_start_it() {
        assert_eq!(judged(30, 40), None);
        let finding = judged(30, 41).expect("it took longer");
        assert_eq!(finding.observed.to_string(), "after 11000 ms");
    }
}
