//! The record of a benchmark: what was measured, how, and what follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::arm::Arm;
use super::arm_record::{ArmRecord, Usage, arm_records, series_of, usage};
use super::gate::JudgedLimit;
use super::generations::{BenchPlan, GenerationSeen};
use super::self_check::SelfCheck;
use super::stack::Configurations;
use super::validity::{reasons_against, reasons_of_images};
use super::whole::Measured;
use harness_artifacts::executable::Identity;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::stack::PROXY_CONTAINER;
use harness_environment::Environment;
use harness_traffic::latency::plan::Arrivals;
use harness_verdict::latency::comparison::{Compared, Comparison, compare};
use harness_verdict::latency::difference::{Difference, difference};
use harness_verdict::latency::percentile::Percentile;
use harness_verdict::latency::series::Series;

/// The version of the record's format.
pub const SCHEMA_VERSION: u32 = 1;
/// How late the generator may be at a percentile for the latency at that percentile to be judged.
pub const LATENESS_LIMIT_MICROSECONDS: f64 = 300.0;

/// The record of a benchmark.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BenchRecord {
    /// The version of this format.
    pub schema_version: u32,
    /// The run.
    pub run: String,
    /// Whether all generations were measured.
    pub complete: bool,
    /// How it was measured.
    pub method: Method,
    /// What was seen of a stop and of a delay that were known; none where the run ended before.
    #[serde(default)]
    pub self_check: Option<SelfCheck>,
    /// What was measured, by arm.
    pub arms: BTreeMap<Arm, ArmRecord>,
    /// What the proxy took for the requests of all arms that have no proxy of their own.
    #[serde(default)]
    pub proxy: Usage,
    /// By how much arms differ that answer what a hop costs, by name and percentile.
    pub costs: Vec<Cost>,
    /// The candidate against the baseline, at each percentile that there are enough samples for.
    pub comparisons: Vec<Comparison>,
    /// The percentiles that are not judged, though there are enough samples, since the generator was late there; with the lateness in microseconds.
    pub late: BTreeMap<Percentile, f64>,
    /// What the gate says, limit by limit; empty without a gate.
    pub gate: Vec<JudgedLimit>,
    /// Why nothing follows from the figures; empty where it does.
    pub invalid: Vec<String>,
}

/// How a benchmark was carried out.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Method {
    /// What took part, by role: where it is, its digest and its version. `agent` is A, and B where that has no executable of its own.
    pub subjects: BTreeMap<String, Identity>,
    /// The proxy configuration; B's too where it has none of its own.
    pub envoy_config: String,
    /// The proxy configuration of B, where it has one of its own.
    #[serde(default)]
    pub b_envoy_config: Option<String>,
    /// The digest of each proxy configuration's text, by name.
    #[serde(default)]
    pub envoy_config_sha256: BTreeMap<String, String>,
    /// The environment variables that both agents have of `conformance.yaml`.
    pub agents: BTreeMap<String, String>,
    /// What A has of its own: its environment variables.
    pub a: BTreeMap<String, String>,
    /// What B has of its own.
    pub b: BTreeMap<String, String>,
    /// The path and query that were asked for.
    pub target: String,
    /// The digest of the request's bytes.
    #[serde(default)]
    pub request_sha256: String,
    /// The length of the request in bytes.
    pub request_bytes: usize,
    /// How long requests were sent before those that were measured, in seconds.
    pub warm_up_seconds: f64,
    /// How many sets of processes were measured.
    pub generations: usize,
    /// How long each was measured, in seconds.
    pub seconds: f64,
    /// Requests per second over all arms.
    pub requests_per_second: u32,
    /// Connections of each arm.
    pub connections: u16,
    /// How many generators sent at the same time.
    #[serde(default = "one")]
    pub drivers: u8,
    /// When requests were due.
    pub arrivals: Arrivals,
    /// What everything random was drawn from.
    pub seed: u64,
    /// The difference that matters, in microseconds; 0 in a ladder, which judges none.
    pub smallest_difference: f64,
    /// How this executable was built: `release`, or `dev`, whose stub and null agent are slower.
    pub build: String,
    /// Where it ran: `local`, or a cluster, whose machines are its own.
    #[serde(default = "local")]
    pub environment: String,
    /// What is known of that environment.
    #[serde(default)]
    pub environment_facts: BTreeMap<String, String>,
    /// The most of a processor that a container may take, by container, where the manifest has a limit.
    #[serde(default)]
    pub processor_limits: BTreeMap<String, String>,
    /// The kernel of the machine that this program ran on.
    pub kernel: String,
    /// How many processors that machine has.
    pub processors: usize,
    /// What they say that they are; empty where they say nothing.
    #[serde(default)]
    pub processor_model: String,
}

/// Where a record was made that does not say.
fn local() -> String {
    EnvironmentKind::Local.to_string()
}

/// How many generators there were where a record does not say.
const fn one() -> u8 {
    1
}

/// What something costs.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cost {
    /// The arm.
    pub arm: Arm,
    /// What it is compared with.
    pub above: Arm,
    /// At which percentile.
    pub percentile: Percentile,
    /// By how much it is slower.
    pub difference: Difference,
}

/// What is compared with what: the filter by itself, the floor of a hop, the agent's whole hop, and what the agent adds to the floor.
const COSTS: [(Arm, Arm); 4] = [
    (Arm::Disabled, Arm::Absent),
    (Arm::Null, Arm::Disabled),
    (Arm::A, Arm::Disabled),
    (Arm::A, Arm::Null),
];

/// What is known of a deployment beside its plan.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// The environment variables that both agents have of `conformance.yaml`.
    pub variables: BTreeMap<String, String>,
    /// What took part, by role.
    pub subjects: BTreeMap<String, Identity>,
    /// The proxies' configurations.
    pub configurations: Configurations,
    /// Where it ran.
    pub environment: Arc<dyn Environment>,
}

impl BenchRecord {
    /// Makes the record of what was seen.
    pub fn new(
        run: &str,
        plan: &BenchPlan,
        deployed: Deployed,
        smallest_difference: f64,
        measured: &Measured<GenerationSeen>,
    ) -> Self {
        let seen = &measured.parts;
        let self_check = measured.self_check.clone();
        let all = series_of(seen);
        let of = |arm: Arm| &all[usize::from(arm.position())];
        let mut arms = arm_records(seen);
        for (arm, record) in &mut arms {
            let proxy = plan.stack.proxy_of(*arm);
            record.own_proxy = { proxy.only_arm() }
                .map(|_| usage(&proxy.container(), record.proxy_requests, seen));
        }
        let compared = Compared {
            a: of(Arm::A),
            a_again: of(Arm::AAgain),
            b: of(Arm::B),
        };
        let late = late(&arms);
        let in_time = || {
            Percentile::ALL
                .into_iter()
                .filter(|percentile| !late.contains_key(percentile))
        };
        let stands_behind = |arm| plan.stack.proxy_of(arm).container();
        let mut costs = costs(of, in_time);
        // What two proxies differ by is no cost of the hop.
        costs.retain(|cost| stands_behind(cost.arm) == stands_behind(cost.above));
        let comparisons: Vec<Comparison> = in_time()
            .filter_map(|percentile| compare(&compared, percentile, smallest_difference, plan.seed))
            .collect();
        Self {
            schema_version: SCHEMA_VERSION,
            run: run.to_owned(),
            complete: seen.len() == usize::from(plan.generations),
            method: Method::new(plan, deployed, smallest_difference, seen.len()),
            invalid: { self_check.iter() }
                .flat_map(SelfCheck::reasons_against)
                .chain(reasons_against(&arms, &late, &comparisons, seen))
                .chain(reasons_of_images(seen))
                .collect(),
            self_check,
            proxy: usage(PROXY_CONTAINER, requests_of_first_proxy(&arms), seen),
            costs,
            comparisons,
            late,
            gate: Vec::new(),
            arms,
        }
    }

    /// Returns by how much an arm is slower than another one; none where that was not judged.
    pub fn cost(&self, arm: Arm, above: Arm, percentile: Percentile) -> Option<Difference> {
        let is_meant =
            |cost: &&Cost| (cost.arm, cost.above, cost.percentile) == (arm, above, percentile);
        self.costs.iter().find(is_meant).map(|cost| cost.difference)
    }
}

impl Method {
    /// Says how a plan is carried out on this machine.
    pub fn new(
        plan: &BenchPlan,
        deployed: Deployed,
        smallest_difference: f64,
        generations: usize,
    ) -> Self {
        let kernel = nix::sys::utsname::uname();
        Self {
            subjects: deployed.subjects,
            envoy_config: plan.stack.a.proxy.config.clone(),
            b_envoy_config: Some(plan.stack.b.proxy.config.clone())
                .filter(|config| *config != plan.stack.a.proxy.config),
            envoy_config_sha256: deployed.configurations.digests,
            processor_limits: match deployed.environment.kind() {
                // Nobody enforces them there.
                EnvironmentKind::Local => BTreeMap::new(),
                EnvironmentKind::Existing | EnvironmentKind::K3d | EnvironmentKind::Kind => {
                    deployed.configurations.processor_limits
                }
            },
            environment: deployed.environment.kind().to_string(),
            environment_facts: deployed.environment.facts(),
            agents: deployed.variables,
            a: plan.stack.a.variables.clone(),
            b: plan.stack.b.variables.clone(),
            target: plan.target.clone(),
            request_sha256: hex::encode(Sha256::digest(&plan.request)),
            request_bytes: plan.request.len(),
            warm_up_seconds: plan.warm_up.as_duration().as_secs_f64(),
            generations,
            seconds: plan.duration.as_duration().as_secs_f64(),
            requests_per_second: plan.requests_per_second,
            connections: plan.connections,
            drivers: plan.drivers,
            arrivals: plan.arrivals,
            seed: plan.seed,
            smallest_difference,
            build: if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            }
            .into(),
            kernel: kernel.map_or_else(
                |_| "unknown".into(),
                |name| name.release().to_string_lossy().into_owned(),
            ),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor_model: processor_model(),
        }
    }
}

/// Returns how many requests came by the proxy of the arms that have none of their own.
fn requests_of_first_proxy(arms: &BTreeMap<Arm, ArmRecord>) -> u64 {
    let shared = arms.values().filter(|arm| arm.own_proxy.is_none());
    shared.map(|arm| arm.proxy_requests).sum()
}

/// Returns where the generator was too late, with the worst lateness of an arm.
fn late(arms: &BTreeMap<Arm, ArmRecord>) -> BTreeMap<Percentile, f64> {
    let worst = |percentile: Percentile| {
        let lateness = arms
            .values()
            .filter_map(|arm| arm.lateness_microseconds.get(&percentile));
        lateness.copied().fold(0.0, f64::max)
    };
    Percentile::ALL
        .into_iter()
        .map(|percentile| (percentile, worst(percentile)))
        .filter(|(_, lateness)| *lateness > LATENESS_LIMIT_MICROSECONDS)
        .collect()
}

fn costs<'a, P: Iterator<Item = Percentile>>(
    of: impl Fn(Arm) -> &'a Series,
    percentiles: impl Fn() -> P,
) -> Vec<Cost> {
    let mut costs = Vec::new();
    for (arm, above) in COSTS {
        for percentile in percentiles() {
            if let Some(difference) = difference(of(arm), &[of(above)], percentile) {
                costs.push(Cost {
                    arm,
                    above,
                    percentile,
                    difference,
                });
            }
        }
    }
    costs
}

fn processor_model() -> String {
    let information = fs_err::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = information.lines();
    let line = lines.find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": "));
    model.map_or(String::new(), |(_, model)| model.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    fn difference(estimate: f64) -> serde_json::Value {
        json!({ "estimate": estimate, "lower": estimate - 10.0, "upper": estimate + 10.0, "generations": 10 })
    }

    /// Returns the record of a run in which agent A was judged at the median.
    pub(in crate::bench) fn record() -> BenchRecord {
        let cost = |arm: &str, above: &str, estimate| json!({ "arm": arm, "above": above, "percentile": "p50", "difference": difference(estimate) });
        let arm = json!({
            "requests": 1000, "endings": { "answered": 1000 }, "proxy-requests": 1000, "asked": 1000, "failed-open": 0,
            "latency-microseconds": { "p50": 900.0 }, "authorization-microseconds": {}, "lateness-microseconds": {},
            "processor-milliseconds-per-1000": 120.0, "resident-bytes": 16_000_000,
        });
        let agent = json!({ "path": "/agent", "size": 7, "sha256": "0a", "version": "agent, of a \"kind\"" });
        let record = json!({
            "schema-version": SCHEMA_VERSION, "run": "a-run", "complete": true,
            "method": {
                "subjects": { "agent": agent }, "envoy-config": "fail-closed", "agents": {}, "a": {}, "b": {}, "target": "/",
                "request-bytes": 100, "warm-up-seconds": 1.0, "generations": 10, "seconds": 6.0, "requests-per-second": 1000,
                "connections": 8, "arrivals": "poisson", "seed": 1, "smallest-difference": 20.0, "build": "dev", "kernel": "6.18",
                "processors": 2,
            },
            "self-check": {
                "requests": 2700, "answered": 2700, "stopped-milliseconds": 400.0, "expected-p99-milliseconds": 370.0,
                "measured-p99-milliseconds": 380.0, "seeded-microseconds": 1000.0, "found-microseconds": 1100.0, "same-microseconds": 5.0,
            },
            "arms": { "a": arm },
            "costs": [
                cost("disabled", "absent", 12.0), cost("null", "disabled", 200.0), cost("a", "disabled", 500.0), cost("a", "null", 300.0),
            ],
            "comparisons": [{
                "percentile": "p50", "baseline": 900.0, "same-against-same": difference(2.0), "candidate-against-baseline": difference(0.0),
                "verdict": { "no-difference": { "within": 20.0 } },
            }],
            "late": {}, "gate": [], "invalid": [],
        });
        serde_json::from_value(record).expect("a record")
    }
}
