//! Meets the pods that join a fleet: attacks are sent straight to each from its first address on, to see since when it enforces.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::steps::TakenStep;
use crate::procedure::deployment::FleetDeployment;
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::plan::{Prepared, repeat_stream};
use crate::procedure::rollout::{JoiningExpectation, RolloutSpec};
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::PROXY_PORT;
use harness_environment::polling::Polling;
use harness_environment::{DriverProcess, authority};
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::rollout::{Joining, judge_presence};

/// Attacks per second that are sent straight to a new pod.
const PER_SECOND: f64 = 25.0;
/// Attacks that a new pod is sent after the fleet has settled.
const AFTER_READY: usize = 10;
/// Between two looks at the fleet's pods.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A pod that joined.
#[derive(Debug)]
pub(super) struct Newcomer<D = DriveReport> {
    name: String,
    attack: Prepared,
    drive: D,
}

/// Starts a driver for each pod that will join. A node that has much to do tells of a pod's address a second before the pod is ready, and takes
/// longer to start a driver.
pub(super) async fn start_drivers(
    wanted: usize,
    deployment: &FleetDeployment,
) -> Result<Vec<DriverProcess>, ProcedureError> {
    let mut drivers = Vec::new();
    for _ in 0..wanted {
        drivers.push(deployment.fleet().start_driver().await?);
    }
    Ok(drivers)
}

/// Waits for a pod for each of these drivers that was not there before, and begins to attack each as soon as it has an address.
pub(super) async fn greet(
    before: &BTreeSet<String>,
    drivers: Vec<DriverProcess>,
    spec: &RolloutSpec,
    deployment: &FleetDeployment,
) -> Result<Vec<Newcomer<Drive>>, ProcedureError> {
    let wanted = drivers.len();
    let mut drivers = drivers.into_iter();
    let budget = deployment.settles_within();
    let mut polling = Polling::within(budget.as_duration(), LOOK_EVERY);
    let mut met: Vec<Newcomer<Drive>> = Vec::new();
    while polling.next().await {
        for member in deployment.fleet().pods() {
            let address = member.pod.addresses().pod_ip;
            let known = before.contains(&member.name)
                || met.iter().any(|newcomer| newcomer.name == member.name);
            if known || address.is_empty() {
                continue;
            }
            let Some(driver) = drivers.next() else {
                break;
            };
            let case = format!("straight-to-{}", member.name);
            let attack = deployment.ids.prepare_repeated(&spec.attack, &case)?;
            let stream = repeat_stream(
                &case,
                &authority(&address, PROXY_PORT),
                PER_SECOND,
                attack.planned.clone(),
                u32::MAX,
            );
            met.push(Newcomer {
                name: member.name,
                attack,
                drive: deployment.drive(driver, vec![stream]).await?,
            });
        }
        if met.len() >= wanted {
            return Ok(met);
        }
    }
    Err(TimedOut {
        waited_for: format!("{wanted} pods to join and get an address"),
        budget,
        last_seen: format!("{} did", met.len()),
    }
    .into())
}

impl Newcomer {
    /// Lets the attacks on the pods that joined end, once each pod has had some more of them since the fleet has settled: it is
    /// ready then.
    pub(super) async fn conclude(
        newcomers: Vec<Newcomer<Drive>>,
        settled: Timestamp,
        deployment: &FleetDeployment,
    ) -> Result<Vec<Self>, ProcedureError> {
        let budget = deployment.timeouts.first_answers();
        let mut concluded = Vec::new();
        for mut newcomer in newcomers {
            let waited_for = format!("attacks on `{}` after it was ready", newcomer.name);
            newcomer
                .drive
                .await_records(&waited_for, budget, |records| {
                    let due = |record: &&ClientRecord| record.intended_at >= settled;
                    records.iter().filter(due).count() >= AFTER_READY
                })
                .await?;
            newcomer.drive.stop().await?;
            let drive = newcomer.drive.finish().await?;
            deployment.remember_sent(&drive.records);
            concluded.push(Self {
                name: newcomer.name,
                attack: newcomer.attack,
                drive,
            });
        }
        Ok(concluded)
    }
}

/// Holds since when each pod enforces against when it was ready.
pub(super) async fn judge(
    spec: &RolloutSpec,
    taken: Vec<TakenStep>,
    deployment: &FleetDeployment,
    results: &mut ProcedureResults,
) -> Result<(), ProcedureError> {
    let Some(joining) = &spec.joining else {
        return Ok(());
    };
    let JoiningExpectation::EnforcesFirst = **joining;
    let newcomers: Vec<Newcomer> = taken.into_iter().flat_map(|step| step.newcomers).collect();
    let present = judge_presence(newcomers.len(), joining.position);
    results.findings.extend(present);
    let mut late = None;
    let found_before = results.findings.len();
    for newcomer in newcomers {
        let joined = deployment.settle_by_pod(&newcomer.drive.records, 0).await?;
        let members = deployment.fleet().pods();
        let timeline = members
            .iter()
            .find(|member| member.name == newcomer.name)
            .map(|member| member.pod.timeline())
            .unwrap_or_default();
        let seen = Joining::of(&joined, &timeline);
        results.observations.insert(
            format!("pod {} joins", newcomer.name),
            format!("{}; {}", seen.describe(), seen.fates),
        );
        late = late.or_else(|| {
            seen.met_too_late()
                .map(|late_by| ProcedureError::MetTooLate {
                    pod: newcomer.name.clone(),
                    late_by,
                })
        });
        let finding = seen.judge(&newcomer.name, joining.position, &timeline);
        results.findings.extend(finding);
        let mut outcomes = Vec::new();
        let case = newcomer.attack.planned.id.clone();
        for request in joined {
            let judgement = request.decide();
            outcomes.push(judgement.outcome);
            results.requests.push(JudgedRequest::new(
                &case,
                &newcomer.attack.planned,
                request.joined,
                judgement,
            ));
        }
        deployment
            .reconcile_all(newcomer.drive.summary.sent, &outcomes, results)
            .await?;
    }
    // What got through the ready pod got through, whenever the pod was met.
    match late {
        Some(late) if results.findings.len() == found_before => Err(late),
        Some(_) | None => Ok(()),
    }
}
