//! What must hold before anything happens to a fleet: its Service carries traffic, attacks are denied, and could be delivered.

use tokio::time::timeout;

use crate::procedure::ProcedureResults;
use crate::procedure::deployment::FleetDeployment;
use crate::procedure::error::ProcedureError;
use crate::procedure::exchange::{found_in, judge_joined};
use crate::procedure::expected::{Expected, outcome_only};
use crate::procedure::plan::{Route, list_stream, repeat_stream};
use crate::procedure::rollout::RolloutSpec;
use harness_core::model::located::Position;
use harness_core::model::outcome::Outcome;
use harness_core::model::phase::Phase;
use harness_core::model::request::RequestSpec;
use harness_core::model::timeouts::TimedOut;
use harness_traffic::plan::Pacing;
use harness_traffic::record::{ClientRecord, ClientResult};
use harness_verdict::judge::rollout::is_denied;
use harness_verdict::witness::join::Joined;

/// How often the canary is sent.
const CANARY_PER_SECOND: f64 = 50.0;
/// Denials in a row that show that the rules apply, whichever pod the Service chooses.
const DENIED_IN_A_ROW: usize = 15;

/// Sends attacks through the Service until they are denied again and again.
pub(super) async fn await_enforcing(
    spec: &RolloutSpec,
    deployment: &FleetDeployment,
) -> Result<(), ProcedureError> {
    let _phase = deployment.clock.enter(Phase::Enforcing);
    deployment.await_taps().await;
    let canary = deployment.ids.prepare_repeated(&spec.attack, "canary")?;
    let address = deployment.fleet().service();
    let stream = repeat_stream(
        "canary",
        &address,
        CANARY_PER_SECOND,
        canary.planned,
        u32::MAX,
    );
    let mut drive = deployment.start_drive(vec![stream]).await?;
    let mut in_a_row = 0;
    let mut last = "no record".to_owned();
    // The nodes learn of an endpoint some time after its pod is ready, and the rules may come later still.
    let budget = deployment
        .timeouts
        .pod_ready
        .max(deployment.timeouts.enforcing);
    let enforced = async {
        while in_a_row < DENIED_IN_A_ROW {
            let Some(record) = drive.next().await? else {
                break;
            };
            last = answer(record);
            in_a_row = if is_denied(record) { in_a_row + 1 } else { 0 };
        }
        Ok::<_, ProcedureError>(())
    };
    timeout(budget.as_duration(), enforced)
        .await
        .map_err(|_| TimedOut {
            waited_for: "the fleet to deny attacks through its Service".into(),
            budget,
            last_seen: last.clone(),
        })??;
    drive.stop().await?;
    let report = drive.finish().await?;
    deployment.remember_sent(&report.records);
    deployment.settle_by_pod(&report.records, 0).await?;
    Ok(())
}

fn answer(record: &ClientRecord) -> String {
    match &record.result {
        ClientResult::Response(response) => format!("status {}", response.status),
        ClientResult::Failed(failure) => {
            format!("{:?} during {:?}", failure.cause, failure.phase)
        }
    }
}

/// Shows that an attack can be delivered, and that the nearest benign request passes, through the Service as it stands.
pub(super) async fn judge_controls(
    spec: &RolloutSpec,
    deployment: &FleetDeployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let control = |request: &RequestSpec, case: &str, route, outcome, position: Position| {
        Ok::<_, ProcedureError>(Expected {
            case: case.into(),
            prepared: deployment.ids.prepare(request, case, 0, route)?,
            expect: outcome_only(outcome, position),
            cell: None,
            undeliverable: None,
            written: None,
        })
    };
    let requests = [
        control(
            &spec.benign,
            "attack-twin",
            Route::Inspected,
            Outcome::Allowed,
            spec.benign.target.position,
        )?,
        control(
            &spec.attack,
            "attack-control",
            Route::Control,
            Outcome::NotInspected,
            spec.attack.target.position,
        )?,
    ];
    let stream = list_stream(
        "controls",
        &deployment.fleet().service(),
        Pacing::Sequential,
        requests
            .iter()
            .map(|request| request.prepared.planned.clone())
            .collect(),
    );
    let drive = deployment.start_drive(vec![stream]).await?;
    let report = drive.finish().await?;
    let joined: Vec<Joined> = deployment
        .settle_by_pod(&report.records, 0)
        .await?
        .into_iter()
        .map(|joined| joined.joined)
        .collect();
    let tally = judge_joined(&requests, found_in(&joined), |_| None, results);
    deployment
        .reconcile_all(report.summary.sent, &tally.outcomes, results)
        .await
}
