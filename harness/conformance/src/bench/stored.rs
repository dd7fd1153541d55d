//! Two stored runs: whether they can be compared, and what has changed from one to the other.
//!
//! Microseconds of two runs are not comparable, since the machine is another one an hour later. What is compared is what agent A added in each run to
//! something that was measured in the same run. That is not the same an hour later either; by how much what has no agent under test in it has changed (the
//! filter by itself, the null agent), and what A differed from itself by in either run, is the noise, and no smaller change is a verdict.

use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

use super::arm::Arm;
use super::record::{BenchRecord, Method};
use crate::report::untrusted::harmless;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_verdict::latency::comparison::{Verdict, judge_change};
use harness_verdict::latency::difference::Difference;
use harness_verdict::latency::percentile::Percentile;

/// What A is held against in each run.
const ABOVE: [Arm; 2] = [Arm::Disabled, Arm::Null];
/// What has no agent under test in it: it changes from run to run by what the runs themselves differ by.
const CONTROLS: [(Arm, Arm); 2] = [(Arm::Disabled, Arm::Absent), (Arm::Null, Arm::Disabled)];
/// What a cluster calls the address of its API among the facts known of it.
const API_SERVER_FACT: &str = "api server";
/// What it calls the name of the agent's image.
const AGENT_IMAGE_FACT: &str = "image of the agent";
/// How many generations a run has that an interval can be made of.
const GENERATIONS: RangeInclusive<usize> = 2..=60;

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
    noise: f64,
    verdict: Verdict,
}

impl StoredRuns<'_> {
    /// Returns why nothing follows from a comparison; nothing where something does.
    pub fn reasons_against(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (name, record) in [("first", self.before), ("second", self.after)] {
            reasons.extend(
                record.invalid.iter().map(|reason| {
                    format!("the {name} run is no measurement: {}", one_line(reason))
                }),
            );
            if record.self_check.is_none() {
                reasons.push(format!("the {name} run has no self-check"));
            }
            if !record.complete {
                reasons.push(format!("the {name} run was interrupted"));
            }
            let has_own_proxy = { record.arms.get(&Arm::A) }.is_some_and(|a| a.own_proxy.is_some());
            if has_own_proxy {
                reasons.push(format!(
                    "in the {name} run A stood behind a proxy of its own: what it adds was not measured"
                ));
            }
        }
        let facts = facts(self.before).into_iter().zip(facts(self.after));
        for ((name, before), (_, after)) in facts {
            if before != after {
                reasons.push(format!(
                    "{name}: {} and {}",
                    one_line(&before),
                    one_line(&after)
                ));
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
            self.both(|record| usable(record.cost(Arm::A, above, percentile)?))?;
        let noise = self.noise(percentile)?;
        let verdict = judge_change(&after.since(&before), noise, before.estimate, smallest);
        Some(Change {
            above,
            percentile,
            before,
            after,
            noise,
            verdict,
        })
    }

    /// Returns the most that the runs differ by at a percentile in what is no agent's: what the same program differed from itself by in either of them,
    /// and by how much the controls have changed. None where one of these was not judged.
    fn noise(&self, percentile: Percentile) -> Option<f64> {
        let same = |record: &BenchRecord| {
            let mut comparisons = record.comparisons.iter();
            let found = comparisons.find(|comparison| comparison.percentile == percentile)?;
            Some(usable(found.same_against_same)?.estimate.abs())
        };
        let mut noise = self.both(same)?.into_iter().fold(0.0, f64::max);
        for (arm, above) in CONTROLS {
            let [before, after] =
                self.both(|record| usable(record.cost(arm, above, percentile)?))?;
            noise = noise.max((after.estimate - before.estimate).abs());
        }
        Some(noise)
    }

    fn both<T>(&self, of: impl Fn(&BenchRecord) -> Option<T>) -> Option<[T; 2]> {
        Some([of(self.before)?, of(self.after)?])
    }
}

/// Returns what has to be the same in both runs, by name.
pub(super) fn facts(record: &BenchRecord) -> Vec<(&'static str, String)> {
    let method = &record.method;
    let digest = |role: &str| {
        let subject = method.subjects.get(role);
        subject.map_or("unknown".into(), |subject| subject.sha256.clone())
    };
    vec![
        ("environment", environment(method)),
        ("kernel", method.kernel.clone()),
        (
            "processors",
            format!("{} {}", method.processors, method.processor_model),
        ),
        ("Envoy", digest("envoy")),
        ("application", digest("application")),
        (
            "conformance, with the generator and the null agent",
            digest("harness"),
        ),
        ("proxy configuration", configuration(method)),
        ("path", method.target.clone()),
        ("request", method.request_sha256.clone()),
        ("bytes of the request", method.request_bytes.to_string()),
        // It takes a part of the requests, on the same processors.
        ("agent B", agent_b(record)),
        (
            "requests per second",
            method.requests_per_second.to_string(),
        ),
        ("arrivals", method.arrivals.to_string()),
        ("connections", method.connections.to_string()),
        ("drivers", method.drivers.to_string()),
        ("seed", method.seed.to_string()),
        ("seconds of a generation", method.seconds.to_string()),
        ("seconds of its warm-up", method.warm_up_seconds.to_string()),
    ]
}

/// Names the environment with all that is known of it but the agent's image, and what its containers may take of a processor.
fn environment(method: &Method) -> String {
    let facts = method.environment_facts.iter();
    // A cluster that is made for a run has an address of its own each time.
    let is_made = method.environment != EnvironmentKind::Existing.as_str();
    let others = facts.filter(|(name, _)| {
        let is_of_run = is_made && *name == API_SERVER_FACT;
        *name != AGENT_IMAGE_FACT && !is_of_run
    });
    let limits = method.processor_limits.iter();
    let mut text = method.environment.clone();
    for (name, value) in others.chain(limits) {
        let _ = write!(text, " {name}: {value}");
    }
    text
}

/// Names the proxy configuration and the digest of its text.
fn configuration(method: &Method) -> String {
    let name = &method.envoy_config;
    match method.envoy_config_sha256.get(name) {
        Some(digest) => format!("{name} {digest}"),
        None => name.clone(),
    }
}

/// Says what agent B and its proxy are beside A; nothing where they are A's once more.
fn agent_b(record: &BenchRecord) -> String {
    let method = &record.method;
    let image = |arm| record.arms.get(&arm).and_then(|arm| arm.image.as_ref());
    let other_image = image(Arm::B).filter(|b| Some(*b) != image(Arm::A));
    let own = ["agent-b", "envoy-b"].map(|role| method.subjects.get(role));
    let own = own.into_iter().flatten().map(|subject| &subject.sha256);
    let configuration = method.b_envoy_config.iter().map(|name| {
        let digest = method.envoy_config_sha256.get(name);
        digest.unwrap_or(name)
    });
    let parts: Vec<&str> = own
        .chain(configuration)
        .chain(other_image)
        .map(String::as_str)
        .collect();
    let mut text = parts.join(" ");
    if method.a != method.b {
        for (name, value) in &method.b {
            let _ = write!(text, " {name}={value}");
        }
    }
    text
}

/// Returns a difference of a record that may be anybody's, where it is one.
fn usable(difference: Difference) -> Option<Difference> {
    let Difference {
        estimate,
        lower,
        upper,
        generations,
    } = difference;
    let is_finite = [estimate, lower, upper].into_iter().all(f64::is_finite);
    let is_interval = lower <= estimate && estimate <= upper;
    (is_finite && is_interval && GENERATIONS.contains(&generations)).then_some(difference)
}

/// Returns what a terminal shows of the changes.
pub fn render(runs: &StoredRuns<'_>, changes: &[Change]) -> String {
    let mut text = String::new();
    let [before, after] = [runs.before, runs.after].map(agent);
    let is_known =
        { runs.before.method.subjects.contains_key("agent") } || { runs.before.arms.get(&Arm::A) }
            .is_some_and(|a| a.image.is_some());
    let note = if is_known && before == after {
        ", the same: what differs is the noise between runs"
    } else {
        ""
    };
    let _ = writeln!(text, "before  {}  {before}", one_line(&runs.before.run));
    let _ = writeln!(
        text,
        "after   {}  {after}{note}\n",
        one_line(&runs.after.run)
    );
    for change in changes {
        let _ = writeln!(text, "{change}");
    }
    text
}

fn agent(record: &BenchRecord) -> String {
    let method = &record.method;
    let image = record.arms.get(&Arm::A).and_then(|arm| arm.image.as_ref());
    let mut text = match (image, method.subjects.get("agent")) {
        (Some(image), _) => format!("agent {image}"),
        (None, Some(agent)) => {
            let version = agent.version.as_deref().unwrap_or("of unknown version");
            format!("agent {version} {}", agent.sha256)
        }
        (None, None) => "unknown agent".into(),
    };
    for (name, value) in method.agents.iter().chain(&method.a) {
        let _ = write!(text, " {name}={value}");
    }
    one_line(&text)
}

/// Makes text of a file harmless for a terminal, and keeps it from looking like a line of its own.
fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:<6} agent A above {:<30} {:>6.0} -> {:>6.0} µs  ",
            self.percentile,
            self.above.description(),
            self.before.estimate,
            self.after.estimate,
        )?;
        match &self.verdict {
            // A latency of another run is no base for a percentage.
            Verdict::Slower(extent) => {
                write!(formatter, "slower by [{:.0}, {:.0}] µs", extent.least, extent.most)?;
            }
            Verdict::Faster(extent) => {
                write!(formatter, "faster by [{:.0}, {:.0}] µs", extent.least, extent.most)?;
            }
            Verdict::NoDifference { .. } => self.verdict.fmt(formatter)?,
            // What would settle it in one run does not in two.
            Verdict::Inconclusive { .. } => formatter.write_str(
                "inconclusive: measure both agents in one run (`conformance bench --b binary=PATH`)",
            )?,
        }
        write!(formatter, "; the noise is {:.0} µs", self.noise)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::bench::record::tests::record;

    fn cost(record: &mut BenchRecord, arm: Arm, above: Arm) -> &mut Difference {
        let cost = { record.costs.iter_mut() }.find(|cost| (cost.arm, cost.above) == (arm, above));
        &mut cost.expect("it is there").difference
    }

    fn shift(difference: &mut Difference, by: f64) {
        difference.estimate += by;
        difference.lower += by;
        difference.upper += by;
    }

    fn said(before: &BenchRecord, after: &BenchRecord) -> String {
        let runs = StoredRuns { before, after };
        assert_eq!(runs.reasons_against(), Vec::<String>::new());
        render(&runs, &runs.changes(20.0))
    }

    #[test]
    fn an_agent_that_adds_more_is_slower_and_one_that_adds_the_same_is_not() {
        let before = record();
        assert!(
            said(&before, &before)
                .contains("300 ->    300 µs  no difference (within ±20 µs); the noise is 2 µs")
        );
        let mut after = record();
        shift(cost(&mut after, Arm::A, Arm::Null), 80.0);
        // Student's 2.101 for 18 degrees of freedom, of two standard errors of 10/2.262.
        assert!(
            said(&before, &after).contains("300 ->    380 µs  slower by [67, 93] µs; the noise")
        );
    }

    #[test]
    fn what_the_null_agent_changes_by_as_well_is_no_verdict() {
        let before = record();
        let mut after = record();
        shift(cost(&mut after, Arm::A, Arm::Null), 80.0);
        shift(cost(&mut after, Arm::Null, Arm::Disabled), -90.0);
        let said = said(&before, &after);
        assert!(said.contains("300 ->    380 µs  inconclusive"), "{said}");
        assert!(said.contains("the noise is 90 µs"), "{said}");
    }

    #[rstest]
    #[case(|record: &mut BenchRecord| record.method.requests_per_second = 7, "requests per second: 1000 and 7")]
    #[case(|record: &mut BenchRecord| record.method.kernel = "x\n\u{1b}[2J".into(), "kernel: 6.18 and x\\n\\u{1b}[2J")]
    #[case(|record: &mut BenchRecord| record.method.request_sha256 = "f".into(), "request:  and f")]
    #[case(|record: &mut BenchRecord| { record.method.b.insert("X".into(), "1".into()); }, "agent B:  and  X=1")]
    #[case(|record: &mut BenchRecord| record.complete = false, "the second run was interrupted")]
    #[case(|record: &mut BenchRecord| record.self_check = None, "the second run has no self-check")]
    #[case(|record: &mut BenchRecord| record.invalid = vec!["late".into()], "the second run is no measurement: late")]
    fn what_cannot_be_compared_is_said(#[case] change: fn(&mut BenchRecord), #[case] said: &str) {
        let before = record();
        let mut after = record();
        change(&mut after);
        let runs = StoredRuns {
            before: &before,
            after: &after,
        };
        assert_eq!(runs.reasons_against(), [said]);
    }

    #[rstest]
    #[case(|difference: &mut Difference| difference.generations = usize::MAX)]
    #[case(|difference: &mut Difference| difference.generations = 1)]
    #[case(|difference: &mut Difference| difference.upper = f64::INFINITY)]
    #[case(|difference: &mut Difference| difference.lower = difference.upper + 1.0)]
    fn a_difference_that_is_none_is_not_judged(#[case] change: fn(&mut Difference)) {
        let before = record();
        let mut after = record();
        change(cost(&mut after, Arm::Null, Arm::Disabled));
        let runs = StoredRuns {
            before: &before,
            after: &after,
        };
        assert!(runs.changes(20.0).is_empty());
    }
}
