//! Meets the pods that join a fleet: attacks are sent straight to each from its first address on, to see since when it enforces.

use harness_core::model::finding_kind::FindingKind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::controls::is_denied;
use super::steps::TakenStep;
use crate::procedure::deployment::FleetDeployment;
use crate::procedure::drive::{Drive, DriveReport};
use crate::procedure::error::ProcedureError;
use crate::procedure::plan::{Prepared, repeat_stream};
use crate::procedure::rollout::JoiningExpectation;
use crate::procedure::rollout::RolloutSpec;
use crate::procedure::{JudgedRequest, ProcedureResults};
use harness_core::model::finding::Finding;
use harness_core::model::identity::RequestId;
use harness_core::model::located::Position;
use harness_core::model::stream_kind::StreamKind;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::PROXY_PORT;
use harness_environment::polling::Polling;
use harness_environment::{DriverProcess, authority};
use harness_traffic::record::ClientRecord;
use harness_verdict::judge::fleet::{Fate, PodPhase, end_without_pod, moment_of};
use harness_verdict::judge::lifecycle::{first, render};
use harness_verdict::witness::fleet::{FleetJoined, Holder};

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
    if newcomers.is_empty() {
        results.findings.push(Finding::new(
            FindingKind::NotExercised,
            joining.position,
            "pods join the fleet",
            "none did: nothing was tested",
        ));
    }
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
        let enforcement = Enforcement::of(&joined, &timeline);
        let fates = fates(&joined, &timeline);
        results.observations.insert(
            format!("pod {} joins", newcomer.name),
            format!("{}; {fates}", enforcement.describe()),
        );
        late = late.or(enforcement.met_too_late(&newcomer.name));
        let finding = enforcement.judge(&newcomer.name, joining.position);
        results.findings.extend(finding.map(|finding| {
            finding
                .note(format!("attacks sent straight to it: {fates}"))
                .note(render(&timeline, None))
        }));
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

/// Since when a pod enforces, and since when it is an endpoint.
#[derive(Debug)]
struct Enforcement {
    first_denied: Option<Timestamp>,
    ready: Option<Timestamp>,
    /// When the first attack on it was sent.
    first_sent: Option<Timestamp>,
    /// The last attack on it.
    last: Option<String>,
    /// Attacks that were sent to the ready pod and got through.
    through_when_ready: Vec<String>,
}

impl Enforcement {
    fn of(joined: &[FleetJoined], timeline: &[TimelineEvent]) -> Self {
        let ready = first(timeline, None, |event| {
            matches!(event, LifecycleEvent::PodReady)
        });
        let sent_at = |joined: &FleetJoined| joined.joined.client.sent_at;
        let intended_at = |joined: &&FleetJoined| joined.joined.client.intended_at;
        let last = joined.iter().max_by_key(intended_at);
        Self {
            ready,
            first_sent: joined
                .iter()
                .map(|joined| &joined.joined.client)
                .map(|client| client.sent_at.unwrap_or(client.finished_at))
                .min(),
            last: last.map(|joined| joined.joined.client.id.clone()),
            first_denied: joined
                .iter()
                .filter(|joined| is_denied(&joined.joined.client))
                .filter(|joined| fate(joined) == Fate::AsUsual)
                .filter_map(sent_at)
                .min(),
            through_when_ready: joined
                .iter()
                .filter(|joined| fate(joined) == Fate::Leaked)
                .filter(|joined| ready.is_some_and(|ready| sent_at(joined) >= Some(ready)))
                .map(|joined| joined.joined.client.id.clone())
                .collect(),
        }
    }

    /// Tells whether the pod was ready before it was attacked: nobody knows whether such a pod enforced first.
    fn met_too_late(&self, pod: &str) -> Option<ProcedureError> {
        let (sent, ready) = (self.first_sent?, self.ready?);
        (sent >= ready).then(|| ProcedureError::MetTooLate {
            pod: pod.into(),
            late_by: sent.duration_since(ready).unsigned_abs(),
        })
    }

    fn describe(&self) -> String {
        match (self.first_denied, self.ready) {
            (Some(denied), Some(ready)) => {
                let ahead = ready.duration_since(denied).as_millis();
                if ahead >= 0 {
                    format!("an attack was first denied {ahead} ms before the pod was ready")
                } else {
                    format!(
                        "it was ready {} ms before the first attack that came to it was denied",
                        -ahead
                    )
                }
            }
            (Some(_), None) => "attacks were denied, and it was never ready".into(),
            (None, _) => "no attack was denied".into(),
        }
    }

    fn judge(&self, pod: &str, position: Position) -> Option<Finding> {
        let expected = format!("`{pod}` denies attacks before it is ready");
        if let Some(id) = self.through_when_ready.first() {
            let observed = format!(
                "{} attacks that were sent to the ready pod got through",
                self.through_when_ready.len()
            );
            let finding =
                Finding::new(FindingKind::NewPodEnforcement, position, expected, observed);
            return Some(finding.about("straight-to-pod", &RequestId::from_witness(id)));
        }
        if self.first_denied.is_some() && self.ready.is_some() {
            return None;
        }
        let finding = Finding::new(
            FindingKind::NewPodEnforcement,
            position,
            expected,
            self.describe(),
        );
        Some(match &self.last {
            Some(id) => finding.about("straight-to-pod", &RequestId::from_witness(id)),
            None => finding,
        })
    }
}

/// Counts the attacks by what became of them, and where: `31 × turned away, no pod, refused while connecting`.
fn fates(joined: &[FleetJoined], timeline: &[TimelineEvent]) -> String {
    let mut counts: BTreeMap<(Fate, String), u64> = BTreeMap::new();
    for joined in joined {
        let client = &joined.joined.client;
        let place = match &joined.holder {
            Holder::None => end_without_pod(client),
            Holder::Pod(_) | Holder::Several(_) => {
                PodPhase::at(timeline, moment_of(client)).to_string()
            }
        };
        *counts.entry((fate(joined), place)).or_default() += 1;
    }
    if counts.is_empty() {
        return "none was sent".into();
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|((fate, place), count)| format!("{count} × {fate}, {place}"))
        .collect();
    parts.join("; ")
}

fn fate(joined: &FleetJoined) -> Fate {
    Fate::of(StreamKind::Attack, &joined.joined, joined.decide().outcome)
}

#[cfg(test)]
#[path = "joining_tests.rs"]
mod tests;
