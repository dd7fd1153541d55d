//! The record of a ladder: what was measured at each step, and what a terminal shows of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::arm_record::{ArmRecord, arm_records};
use super::generations::GenerationSeen;
use super::record::{LATENESS_LIMIT_MICROSECONDS, Method};
use super::self_check::SelfCheck;
use super::validity::reasons_of_counts;
use harness_verdict::judge::bound::Share;
use harness_verdict::latency::percentile::Percentile;

/// The version of the record's format.
pub const SCHEMA_VERSION: u32 = 1;

/// A median that is so many times that of the first step is called out.
const KNEE: f64 = 5.0;

/// The record of a ladder.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LadderRecord {
    /// The version of this format.
    pub schema_version: u32,
    /// The run.
    pub run: String,
    /// Whether the run came to its end: not interrupted, and without an error.
    pub complete: bool,
    /// What was raised: `rate`, `connections`, `body`, `input`, or `env.` and a variable.
    pub raised: String,
    /// How it was measured; what was raised has its first value here.
    pub method: Method,
    /// What was seen of a stop and of a delay that were known.
    pub self_check: Option<SelfCheck>,
    /// The steps in the order in which they were measured.
    pub steps: Vec<StepRecord>,
    /// Why nothing follows from the figures; empty where it does.
    pub invalid: Vec<String>,
}

/// What was measured at a step.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepRecord {
    /// The value of what was raised.
    pub step: String,
    /// What was measured, by arm.
    pub arms: BTreeMap<Arm, ArmRecord>,
    /// Why the step is no measurement; empty where it is one.
    pub invalid: Vec<String>,
}

/// What follows for a limit on the slowest answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// Every request was answered by a decision in time.
    Kept,
    /// One was not.
    Broken,
    /// An answer took longer, and the generator was late.
    Unknown,
}

impl StepRecord {
    /// Makes the record of a step.
    pub fn new(step: String, arms: &[Arm], seen: &[GenerationSeen]) -> Self {
        let mut records = arm_records(seen);
        records.retain(|arm, _| arms.contains(arm));
        Self {
            step,
            invalid: reasons_of_counts(&records, seen),
            arms: records,
        }
    }

    /// Returns whether every request of an arm was answered, and by its agent's decision.
    pub fn is_decided(&self, arm: Arm) -> bool {
        let record = self.arms.get(&arm);
        record.is_some_and(|record| {
            let undecided = record.failed_open + record.failed_closed + record.without_answer();
            undecided == 0 && (!arm.asks() || record.asked >= record.proxy_requests)
        })
    }

    /// Returns a latency; none where requests of the arm went on without a decision or were not answered with 200 to 299, or the generator was late:
    /// it would be that of something else.
    pub fn latency(&self, arm: Arm, percentile: Percentile) -> Option<f64> {
        let record = self.arms.get(&arm)?;
        let late = record.lateness_microseconds.get(&percentile)?;
        let is_late = *late > LATENESS_LIMIT_MICROSECONDS;
        if is_late || record.failed_open > 0 || record.unanswered() > 0 {
            return None;
        }
        record.latency_microseconds.get(&percentile).copied()
    }

    /// Says whether agent A answered every request by a decision, and none of them more slowly than this.
    pub fn limit(&self, slowest: Duration) -> Limit {
        let most = slowest.as_secs_f64() * 1e6;
        let is_slow = self.slowest().is_none_or(|slowest| slowest > most);
        let is_late = self.arms.get(&Arm::A).is_none_or(|record| {
            let lateness = &record.lateness_microseconds;
            { lateness.values() }.any(|late| *late > LATENESS_LIMIT_MICROSECONDS)
        });
        match (self.is_decided(Arm::A), is_slow, is_late) {
            (false, _, _) | (true, true, false) => Limit::Broken,
            (true, true, true) => Limit::Unknown,
            (true, false, _) => Limit::Kept,
        }
    }

    /// Returns the slowest answer to a request of agent A, in microseconds.
    pub fn slowest(&self) -> Option<f64> {
        self.arms.get(&Arm::A)?.slowest_microseconds
    }
}

/// Returns the table.
pub fn render(record: &LadderRecord, title: &str) -> String {
    let mut text = String::new();
    for reason in &record.invalid {
        let _ = writeln!(text, "not a measurement: {reason}");
    }
    let arms: BTreeSet<Arm> = { record.steps.iter() }
        .flat_map(|step| step.arms.keys().copied())
        .collect();
    let width = { record.steps.iter() }
        .map(|step| step.step.chars().count())
        .chain([title.chars().count()])
        .max()
        .unwrap_or(0);
    let _ = write!(text, "\n{title:<width$}");
    for arm in &arms {
        let _ = write!(text, " {:>14} {:>9}", format!("{arm} p50 µs"), "p99 µs");
    }
    let _ = writeln!(
        text,
        " {:>12} {:>11} {:>13} {:>9} {:>9} {:>9} {:>9}",
        "slowest µs", "failed open", "failed closed", "no answer", "not 2xx", "CPU ms/k", "MiB"
    );
    for step in &record.steps {
        let _ = write!(text, "{:<width$}", step.step);
        for arm in &arms {
            let of = |percentile| shown(step.latency(*arm, percentile));
            let _ = write!(
                text,
                " {:>14} {:>9}",
                of(Percentile::P50),
                of(Percentile::P99)
            );
        }
        let agent = step.arms.get(&Arm::A);
        let _ = writeln!(
            text,
            " {:>12} {:>11} {:>13} {:>9} {:>9} {:>9} {:>9}",
            shown(step.slowest()),
            agent.map_or("-".into(), |agent| part(agent, agent.failed_open)),
            agent.map_or("-".into(), |agent| part(agent, agent.failed_closed)),
            agent.map_or("-".into(), |agent| agent.without_answer().to_string()),
            agent.map_or("-".into(), |agent| (agent.unanswered()
                - agent.without_answer())
            .to_string()),
            agent
                .and_then(|agent| agent.processor_milliseconds_per_1000)
                .map_or("-".into(), |spent| format!("{spent:.1}")),
            agent
                .and_then(|agent| agent.resident_bytes)
                .map_or("-".into(), |bytes| (bytes / (1024 * 1024)).to_string()),
        );
    }
    let _ = writeln!(
        text,
        "\nfrom `slowest` on it is agent A's, and what failed has the warm-up too (`failed closed` are denials of the proxy's own, which `not 2xx` has as well); `-` stands where too few were measured, the generator was late, or not every\nrequest was answered with 200 to 299 by a decision"
    );
    if let Some(self_check) = &record.self_check {
        let _ = writeln!(text, "self-check: {self_check}");
    }
    text.push_str(&conclusion(&record.steps));
    text
}

/// Says where agent A failed first, and where it became slow.
fn conclusion(steps: &[StepRecord]) -> String {
    let failed = steps.iter().position(|step| !step.is_decided(Arm::A));
    let mut text = match failed {
        None => format!(
            "every request was answered by a decision of the agent; without one at the last step: {}",
            steps.last().map_or("none".into(), undecided)
        ),
        Some(position) => {
            let before = position.checked_sub(1).and_then(|before| steps.get(before));
            let failed = &steps[position];
            let null = failed.arms.contains_key(&Arm::Null) && !failed.is_decided(Arm::Null);
            format!(
                "the first step with requests that were not answered by a decision is {}{}{}",
                failed.step,
                before.map_or(String::new(), |step| format!(
                    "; at {} there were none ({})",
                    step.step,
                    undecided(step)
                )),
                if null {
                    "; the null agent failed there, too"
                } else {
                    ""
                }
            )
        }
    };
    for arm in [Arm::A, Arm::Null] {
        let median = |step: &StepRecord| step.latency(arm, Percentile::P50);
        let first = steps.first().and_then(median).unwrap_or(f64::INFINITY);
        let slow: Vec<&str> = { steps.iter() }
            .filter(|step| median(step).is_some_and(|own| own > KNEE * first))
            .map(|step| step.step.as_str())
            .collect();
        if !slow.is_empty() {
            let _ = write!(
                text,
                "\nthe median of {} is more than {KNEE} times that of {} at {}",
                arm.description(),
                steps[0].step,
                slow.join(", ")
            );
        }
    }
    text
}

fn part(agent: &ArmRecord, requests: u64) -> String {
    format!("{:.2} %", 100.0 * agent.part(requests))
}

/// Says of how many requests at a step agent A did not decide, and what that proves of all that could have been sent.
fn undecided(step: &StepRecord) -> String {
    let share = step.arms.get(&Arm::A).map(|agent| Share {
        count: agent.failed_open + agent.failed_closed,
        of: agent.proxy_requests,
    });
    share.map_or("nothing was sent".into(), |share| share.to_string())
}

fn shown(microseconds: Option<f64>) -> String {
    microseconds.map_or("-".into(), |microseconds| format!("{microseconds:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::validity::tests::arm;

    fn step(name: &str, median: f64, failed_open: u64) -> StepRecord {
        let mut record = arm(1000, 1000);
        record.failed_open = failed_open;
        record.latency_microseconds.insert(Percentile::P50, median);
        record.lateness_microseconds.insert(Percentile::P50, 20.0);
        record.slowest_microseconds = Some(2.0 * median);
        StepRecord {
            step: name.into(),
            arms: BTreeMap::from([(Arm::A, record)]),
            invalid: Vec::new(),
        }
    }

    #[test]
    fn what_failed_open_has_no_latency_and_is_called_out() {
        let failed = step("4000", 900.0, 1);
        assert_eq!(failed.latency(Arm::A, Percentile::P50), None);
        let kept = step("2000", 900.0, 0);
        assert_eq!(kept.latency(Arm::A, Percentile::P50), Some(900.0));
        assert_eq!(
            kept.latency(Arm::A, Percentile::P99),
            None,
            "its lateness is not known"
        );
        assert_eq!(
            conclusion(&[kept.clone(), failed]),
            "the first step with requests that were not answered by a decision is 4000; at 2000 there were none (0 of 1,000: below 0.30 % with 95 % confidence)"
        );
        assert!(
            conclusion(&[kept])
                .ends_with("at the last step: 0 of 1,000: below 0.30 % with 95 % confidence")
        );
    }

    #[test]
    fn where_the_null_agent_fails_too_it_is_said() {
        let mut failed = step("4000", 900.0, 1);
        let null = failed.arms[&Arm::A].clone();
        failed.arms.insert(Arm::Null, null);
        let said = conclusion(&[failed]);
        assert!(
            said.ends_with("is 4000; the null agent failed there, too"),
            "{said}"
        );
    }

    #[test]
    fn a_step_that_is_much_slower_than_the_first_is_called_out() {
        let steps = [
            step("250", 900.0, 0),
            step("500", 4400.0, 0),
            step("1000", 4600.0, 0),
        ];
        let said = conclusion(&steps);
        assert!(
            said.ends_with("\nthe median of agent A is more than 5 times that of 250 at 1000"),
            "{said}"
        );
        assert!(!conclusion(&steps[..2]).contains("median"), "{said}");
    }

    #[test]
    fn a_limit_is_broken_by_what_is_late_or_undecided_and_not_by_a_late_generator() {
        let limit = |step: &StepRecord| step.limit(Duration::from_millis(2));
        assert_eq!(limit(&step("a", 1000.0, 0)), Limit::Kept);
        assert_eq!(limit(&step("a", 1001.0, 0)), Limit::Broken);
        assert_eq!(limit(&step("a", 10.0, 1)), Limit::Broken);
        let mut late = step("a", 1001.0, 0);
        let record = late.arms.get_mut(&Arm::A).expect("measured");
        record.lateness_microseconds.insert(Percentile::P99, 5000.0);
        assert_eq!(limit(&late), Limit::Unknown);
    }

    #[test]
    fn a_request_that_the_agent_was_not_asked_about_is_not_decided() {
        let mut passed_by = step("/static", 900.0, 0);
        assert!(passed_by.is_decided(Arm::A));
        passed_by.arms.get_mut(&Arm::A).expect("measured").asked = 999;
        assert!(!passed_by.is_decided(Arm::A));
    }

    #[test]
    fn a_denial_is_a_decision_without_a_latency() {
        let mut denied = step("near-misses", 900.0, 0);
        let record = denied.arms.get_mut(&Arm::A).expect("measured");
        record.endings = BTreeMap::from([("denied".to_owned(), 1000)]);
        assert!(denied.is_decided(Arm::A));
        let mut failed = denied.clone();
        failed
            .arms
            .get_mut(&Arm::A)
            .expect("measured")
            .failed_closed = 1;
        assert!(!failed.is_decided(Arm::A), "the proxy denied by itself");
        assert_eq!(denied.latency(Arm::A, Percentile::P50), None);
        assert!(conclusion(&[denied]).starts_with("every request was answered by a decision"));
    }
}
