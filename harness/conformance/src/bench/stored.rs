//! Two stored runs: whether they can be compared, and what has changed from one to the other.
//!
//! Microseconds of two runs are not comparable, since the machine is another one an hour later. What is compared is what agent A added in each run to
//! something that was measured in the same run.

use std::fmt::{self, Write as _};

use super::arm::Arm;
use super::record::{BenchRecord, Method};
use harness_verdict::latency::comparison::{Verdict, judge_change};
use harness_verdict::latency::difference::Difference;
use harness_verdict::latency::percentile::Percentile;

/// What A is held against in each run.
const ABOVE: [Arm; 2] = [Arm::Disabled, Arm::Null];
/// With fewer generations a run has no interval.
const GENERATIONS_NEEDED: usize = 2;

/// Two runs, the older one first.
#[derive(Clone, Copy, Debug)]
pub struct StoredRuns<'a> {
    /// The baseline.
    pub before: &'a BenchRecord,
    /// The candidate.
    pub after: &'a BenchRecord,
}

/// What has changed at one percentile.
#[derive(Clone, Debug)]
pub struct Change {
    above: Arm,
    percentile: Percentile,
    before: Difference,
    after: Difference,
    verdict: Verdict,
}

impl StoredRuns<'_> {
    /// Returns why nothing follows from a comparison; nothing where something does.
    pub fn reasons_against(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (name, record) in [("first", self.before), ("second", self.after)] {
            reasons.extend(
                record
                    .invalid
                    .iter()
                    .map(|reason| format!("the {name} run is no measurement: {reason}")),
            );
            if !record.complete {
                reasons.push(format!("the {name} run was interrupted"));
            }
        }
        let facts = facts(&self.before.method)
            .into_iter()
            .zip(facts(&self.after.method));
        for ((name, before), (_, after)) in facts {
            if before != after {
                reasons.push(format!("{name}: {before} and {after}"));
            }
        }
        reasons
    }

    /// Returns what has changed, wherever both runs have an interval.
    pub fn changes(&self, smallest: f64) -> Vec<Change> {
        let pairs = ABOVE
            .into_iter()
            .flat_map(|above| Percentile::ALL.map(|percentile| (above, percentile)));
        pairs
            .filter_map(|(above, percentile)| self.change(above, percentile, smallest))
            .collect()
    }

    fn change(&self, above: Arm, percentile: Percentile, smallest: f64) -> Option<Change> {
        let [before, after] =
            [self.before, self.after].map(|record| record.cost(above, percentile).and_then(usable));
        let (before, after) = (before?, after?);
        let floor = [
            same(self.before, percentile)?,
            same(self.after, percentile)?,
        ];
        let floor = floor
            .into_iter()
            .max_by(|one, other| one.estimate.abs().total_cmp(&other.estimate.abs()))?;
        let verdict = judge_change(&after.since(&before), &floor, before.estimate, smallest);
        Some(Change {
            above,
            percentile,
            before,
            after,
            verdict,
        })
    }
}

/// Returns what has to be the same in both runs, by name.
fn facts(method: &Method) -> Vec<(&'static str, String)> {
    let digest = |role: &str| {
        let subject = method.subjects.get(role);
        subject.map_or("unknown".into(), |subject| subject.sha256.clone())
    };
    vec![
        ("kernel", method.kernel.clone()),
        (
            "processors",
            format!("{} {}", method.processors, method.processor_model),
        ),
        ("build of conformance", method.build.clone()),
        ("Envoy", digest("envoy")),
        ("proxy configuration", method.envoy_config.clone()),
        ("path", method.target.clone()),
        ("bytes of the request", method.request_bytes.to_string()),
        (
            "requests per second",
            method.requests_per_second.to_string(),
        ),
        ("arrivals", method.arrivals.to_string()),
        ("connections", method.connections.to_string()),
        ("seed", method.seed.to_string()),
        ("seconds of a generation", method.seconds.to_string()),
    ]
}

fn same(record: &BenchRecord, percentile: Percentile) -> Option<Difference> {
    let mut comparisons = record.comparisons.iter();
    let found = comparisons.find(|comparison| comparison.percentile == percentile)?;
    usable(found.same_against_same)
}

fn usable(difference: Difference) -> Option<Difference> {
    (difference.generations >= GENERATIONS_NEEDED).then_some(difference)
}

/// Returns what a terminal shows of the changes.
pub fn render(runs: &StoredRuns<'_>, changes: &[Change]) -> String {
    let mut text = String::new();
    let mut agents = [runs.before, runs.after].map(|record| agent(&record.method));
    if agents[0] == agents[1] {
        agents[1].push_str(", the same: what differs is the noise between runs");
    }
    let [before, after] = agents;
    let _ = writeln!(text, "before  {}  {before}", runs.before.run);
    let _ = writeln!(text, "after   {}  {after}\n", runs.after.run);
    for change in changes {
        let _ = writeln!(text, "{change}");
    }
    text
}

fn agent(method: &Method) -> String {
    let agent = method.subjects.get("agent");
    let mut text = agent.map_or("unknown agent".into(), |agent| {
        let version = agent.version.as_deref().unwrap_or("of unknown version");
        format!("agent {version} {}", agent.sha256)
    });
    for (name, value) in method.agents.iter().chain(&method.a) {
        let _ = write!(text, " {name}={value}");
    }
    text
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:<6} agent A above {:<30} {:>6.0} -> {:>6.0} µs  {}",
            self.percentile,
            self.above.description(),
            self.before.estimate,
            self.after.estimate,
            self.verdict
        )
    }
}
