//! Does to a fleet what a scenario says, one step after the other, each until the fleet has settled.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::joining::{Newcomer, greet, start_drivers};
use super::progress::{AROUND_STEPS, Progress, is_of_streams};
use crate::procedure::ProcedureResults;
use crate::procedure::deployment::FleetDeployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::rollout::{RolloutSpec, RolloutStep};
use crate::procedure::waits::await_in_timeline;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::{AGENT_CONTAINER, Stack};
use harness_environment::polling::Polling;
use harness_environment::{
    ContainerFault, EnvironmentFault, Eviction, FleetMember, TemplateChange,
};

/// Between two requests for an eviction that the budget does not allow yet.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// A step that was taken.
#[derive(Debug)]
pub(super) struct TakenStep {
    name: String,
    began: Timestamp,
    settled: Timestamp,
    remark: Option<String>,
    /// Pods that joined by it, with the attacks that were sent straight to each.
    pub(super) newcomers: Vec<Newcomer>,
}

/// Takes every step while the streams go on, then lets the streams end.
pub(super) async fn take_all(
    spec: &RolloutSpec,
    deployment: &FleetDeployment,
    progress: &Progress,
) -> Result<Vec<TakenStep>, ProcedureError> {
    progress.await_more(AROUND_STEPS).await;
    let mut stack = deployment.stack.clone();
    let mut taken = Vec::new();
    for step in &spec.steps {
        let step = take(step, &mut stack, spec, deployment).await?;
        await_traffic_everywhere(deployment).await?;
        taken.push(step);
    }
    progress.await_more(AROUND_STEPS).await;
    progress.end();
    Ok(taken)
}

/// Reports how long each step took.
pub(super) fn report(taken: &[TakenStep], results: &mut ProcedureResults) {
    for (number, step) in (1..).zip(taken) {
        let took = step.settled.duration_since(step.began);
        let remark = step
            .remark
            .as_ref()
            .map_or_else(String::new, |remark| format!("; {remark}"));
        results.observations.insert(
            format!("step {number}: {}", step.name),
            format!("settled after {:.1} s{remark}", took.as_secs_f64()),
        );
    }
}

async fn take(
    step: &RolloutStep,
    stack: &mut Stack,
    spec: &RolloutSpec,
    deployment: &FleetDeployment,
) -> Result<TakenStep, ProcedureError> {
    let fleet = &deployment.fleet();
    let mut remark = None;
    let mut began = Timestamp::now();
    let name = step.to_string();
    match step {
        RolloutStep::Restart => fleet.roll_out(TemplateChange::Restart).await?,
        RolloutStep::Scale(replicas) => {
            let before: BTreeSet<String> = fleet.pods().into_iter().map(|pod| pod.name).collect();
            let joining = match spec.joining {
                Some(_) => (*replicas as usize).saturating_sub(staying(deployment).len()),
                None => 0,
            };
            let drivers = start_drivers(joining, deployment).await?;
            began = Timestamp::now();
            fleet.scale(*replicas).await?;
            if joining > 0 {
                let newcomers = greet(&before, drivers, spec, deployment);
                let (newcomers, ()) = tokio::try_join!(newcomers, deployment.await_settled())?;
                let settled = Timestamp::now();
                return Ok(TakenStep {
                    name,
                    began,
                    settled,
                    remark,
                    newcomers: Newcomer::conclude(newcomers, settled, deployment).await?,
                });
            }
        }
        RolloutStep::Evict => remark = Some(evict(&staying(deployment), deployment).await?),
        RolloutStep::DrainNode => {
            let on_node = fleet.cordon_node_of(&one_of(deployment)?.name).await?;
            let mut leaving = staying(deployment);
            let all = leaving.len();
            leaving.retain(|member| on_node.contains(&member.name));
            let evicted = evict(&leaving, deployment).await?;
            deployment.await_settled().await?;
            fleet.uncordon().await?;
            remark = Some(format!("of {all} pods {evicted}"));
        }
        RolloutStep::Kill => {
            let victim = one_of(deployment)?;
            fleet.kill(&victim.name).await?;
            await_event(&victim, deployment, "a killed pod to be gone", |timeline| {
                timeline
                    .iter()
                    .any(|event| matches!(event.event, LifecycleEvent::PodGone))
            })
            .await?;
            remark = Some(victim.name);
        }
        RolloutStep::KillAgent => {
            let victim = one_of(deployment)?;
            victim
                .pod
                .inject(AGENT_CONTAINER, ContainerFault::Kill)
                .await?;
            let waited_for = "a killed agent to be back and its pod ready";
            await_event(&victim, deployment, waited_for, has_recovered).await?;
            remark = Some(victim.name);
        }
        RolloutStep::RotateSecret(rotation) => {
            let revoked_by = rotation.revoked_by.as_ref();
            let revoked_by = revoked_by.map(|name| name.value.as_str());
            *stack = stack.with_keys(&deployment.keys.successor, revoked_by);
            let change = TemplateChange::Stack(Box::new(stack.clone()));
            fleet.roll_out(change).await?;
        }
        RolloutStep::Upgrade(candidate) => {
            *stack = stack.with_agent(candidate);
            let change = TemplateChange::Stack(Box::new(stack.clone()));
            fleet.roll_out(change).await?;
        }
        RolloutStep::Rollback => {
            *stack = deployment.stack.clone();
            let change = TemplateChange::Stack(Box::new(stack.clone()));
            fleet.roll_out(change).await?;
        }
    }
    deployment.await_settled().await?;
    Ok(TakenStep {
        name,
        began,
        settled: Timestamp::now(),
        remark,
        newcomers: Vec::new(),
    })
}

/// Waits until the Service has sent a request of the streams to every pod that stays: a change that came sooner would be one of a fleet that
/// nobody has used.
async fn await_traffic_everywhere(deployment: &FleetDeployment) -> Result<(), ProcedureError> {
    let budget = deployment.timeouts.pod_ready;
    let mut polling = Polling::within(budget.as_duration(), ASK_AGAIN);
    let mut idle: Vec<String> = Vec::new();
    while polling.next().await {
        let names: Vec<String> = staying(deployment)
            .into_iter()
            .map(|member| member.name)
            .collect();
        idle = deployment
            .collected_by_pod(|pods| {
                let is_idle = |name: &String| {
                    pods.get(name)
                        .is_none_or(|collected| !collected.proxy.ids().any(|id| is_of_streams(&id)))
                };
                names.into_iter().filter(is_idle).collect()
            })
            .await?;
        if idle.is_empty() {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: "the Service to send requests to every pod".into(),
        budget,
        last_seen: format!("none has come to {}", idle.join(", ")),
    }
    .into())
}

/// Evicts pods one after the other: one that the budget does not let go is asked for again.
async fn evict(
    standing: &[FleetMember],
    deployment: &FleetDeployment,
) -> Result<String, ProcedureError> {
    let mut refused = 0_u32;
    for member in standing {
        let budget = deployment.settles_within();
        let mut polling = Polling::within(budget.as_duration(), ASK_AGAIN);
        loop {
            if !polling.next().await {
                return Err(TimedOut {
                    waited_for: format!("the budget to let `{}` go", member.name),
                    budget,
                    last_seen: "the API refuses the eviction".into(),
                }
                .into());
            }
            match deployment.fleet().evict(&member.name).await? {
                Eviction::Refused => refused += 1,
                Eviction::Granted => break,
            }
        }
        let pod_is_leaving = |timeline: &[TimelineEvent]| timeline.iter().any(ends_it);
        await_event(
            member,
            deployment,
            "an evicted pod to leave",
            pod_is_leaving,
        )
        .await?;
    }
    Ok(format!(
        "{} pods were evicted, the budget held an eviction back {refused} times",
        standing.len()
    ))
}

/// Returns the pods that nobody has asked to go.
fn staying(deployment: &FleetDeployment) -> Vec<FleetMember> {
    deployment
        .fleet()
        .pods()
        .into_iter()
        .filter(|member| !member.pod.timeline().iter().any(ends_it))
        .collect()
}

fn one_of(deployment: &FleetDeployment) -> Result<FleetMember, ProcedureError> {
    let gone = || EnvironmentFault::PodLost {
        reason: "the fleet has no pod that stays".into(),
    };
    let found = staying(deployment).into_iter().next();
    Ok(found.ok_or_else(gone)?)
}

const fn ends_it(event: &TimelineEvent) -> bool {
    matches!(
        event.event,
        LifecycleEvent::DeletionRequested { .. } | LifecycleEvent::PodGone
    )
}

/// Tells whether the agent was started again and its pod has been ready since.
fn has_recovered(timeline: &[TimelineEvent]) -> bool {
    let restarted = timeline.iter().rposition(|event| {
        event.container.as_deref() == Some(AGENT_CONTAINER)
            && matches!(event.event, LifecycleEvent::Started { restart_count: 1.. })
    });
    restarted.is_some_and(|position| {
        timeline[position..]
            .iter()
            .any(|event| matches!(event.event, LifecycleEvent::PodReady))
    })
}

async fn await_event(
    member: &FleetMember,
    deployment: &FleetDeployment,
    waited_for: &str,
    mut condition: impl FnMut(&[TimelineEvent]) -> bool,
) -> Result<(), ProcedureError> {
    let waited_for = format!("{waited_for} (`{}`)", member.name);
    let budget = deployment.settles_within();
    let has_come = |timeline: &[TimelineEvent]| condition(timeline).then_some(());
    await_in_timeline(member.pod.as_ref(), &waited_for, budget, has_come).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_core::model::timeline::ExitStatus;

    fn timeline(events: &[(Option<&str>, LifecycleEvent)]) -> Vec<TimelineEvent> {
        events
            .iter()
            .map(|(container, event)| TimelineEvent {
                at: Timestamp::UNIX_EPOCH,
                container: container.map(Into::into),
                event: event.clone(),
            })
            .collect()
    }

    #[test]
    fn an_agent_is_back_when_its_pod_is_ready_after_the_restart_and_not_before() {
        let started = |count| {
            let started = LifecycleEvent::Started {
                restart_count: count,
            };
            (Some(AGENT_CONTAINER), started)
        };
        let killed = LifecycleEvent::Exited(ExitStatus::Signal(9));
        let mut events = vec![
            started(0),
            (None, LifecycleEvent::PodReady),
            (Some(AGENT_CONTAINER), killed),
            started(1),
        ];
        assert!(!has_recovered(&timeline(&events)));
        events.push((None, LifecycleEvent::PodReady));
        assert!(has_recovered(&timeline(&events)));
    }
}
