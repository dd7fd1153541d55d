//! Runs a scenario with a fleet: creates it, carries the procedure out, keeps evidence, removes it.

use std::sync::Arc;

use camino::Utf8PathBuf;
use tokio::time::timeout;

use super::scenario::{Attempt, Course, write_replay};
use super::without_judgement::ScenarioError;
use crate::procedure::error::ProcedureError;
use crate::procedure::request_ids::RequestIds;
use crate::procedure::rollout::{self, FleetDeployment, FleetParts};
use crate::procedure::stall::unless_stalled;
use crate::report::fleet_evidence::{capture_fleet, pod_records};
use harness_core::model::causes::chain;
use harness_core::model::phase::Phase;
use harness_core::model::rollout::RolloutSpec;
use harness_core::model::timeouts::TimedOut;

/// Runs the scenario of an attempt whose stack is ready.
pub(super) async fn attempt(
    attempt: Attempt<'_>,
    spec: &RolloutSpec,
    course: &mut Course,
) -> Result<(), ScenarioError> {
    let Attempt {
        setup,
        scenario,
        clock,
        stack,
        proxy,
        name,
    } = attempt;
    let creating = clock.enter(Phase::Creating);
    let fleet = setup
        .environment
        .create_fleet(name, &stack, *spec.replicas)
        .await
        .map_err(ScenarioError::Create)?;
    drop(creating);
    let deployment = FleetDeployment::new(FleetParts {
        fleet: fleet.clone(),
        stack,
        proxy,
        ids: RequestIds::new(scenario.name.clone(), setup.run.clone()),
        timeouts: setup.timeouts.clone(),
        keys: setup.keys.clone(),
        clock: Arc::clone(clock),
    });
    let budget = setup.timeouts.scenario;
    let carried_out = rollout::carry_out(spec, &deployment, &mut course.results);
    let result = match timeout(budget.as_duration(), carried_out).await {
        Ok(result) => result,
        Err(_) => Err(ProcedureError::TimedOut(TimedOut {
            waited_for: "the scenario to end".into(),
            budget,
            last_seen: format!("the fleet has had {} pods", fleet.pods().len()),
        })),
    };
    let result = match result {
        Ok(()) => unless_stalled(&course.results, &deployment.proxy).map_err(Into::into),
        Err(error) => Err(error),
    };
    course.pods = pod_records(&deployment);
    if result.is_err() || !course.results.findings.is_empty() {
        let _phase = clock.enter(Phase::Evidence);
        let folder = Utf8PathBuf::from(scenario.name.as_folder());
        let captured = async {
            write_replay(setup, scenario, &folder)?;
            capture_fleet(&setup.output, &folder, &deployment, &course.results).await
        };
        match captured.await {
            Ok(()) => course.evidence = Some(folder),
            Err(error) => {
                tracing::warn!(scenario = %scenario.name, error = chain(&error).join(": "), "evidence is incomplete");
            }
        }
    }
    let _phase = clock.enter(Phase::Ending);
    let removed = fleet.remove().await;
    // What the scenario itself met with comes first.
    result?;
    removed.map_err(ScenarioError::Remove)
}
