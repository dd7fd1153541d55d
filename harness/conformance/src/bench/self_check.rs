//! Whether this machine can measure at all: before anything is measured, a stop and a delay that are known have to be seen, or no figure counts.
//!
//! It is a set of processes like those of a benchmark, with null agents only. The application is stopped for a while: a generator that waits for
//! answers before it sends on, or leaves out what it could not send, sees next to nothing of it. One of the agents holds its answers back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::error::BenchError;
use super::generations::{self, BenchPlan, GenerationSeen, Stop};
use super::request::request;
use super::stack::{BenchStack, Program, Subject};
use super::waits::Undecided;
use crate::run::setup::RunSetup;
use harness_core::model::timespan::TimeSpan;
use harness_traffic::latency::plan::Arrivals;
use harness_traffic::latency::sample::Sample;
use harness_verdict::latency::percentile::Percentile;
use harness_verdict::latency::series::{counts, sorted};

/// Requests per second over all arms: few enough for any machine that is measured on, enough for a p99.
const REQUESTS_PER_SECOND: u32 = 900;
/// Connections of each arm: so few that what is under way in a stop is far below one request in a hundred, and a generator that sends nothing
/// meanwhile sees next to nothing of it.
const CONNECTIONS: u16 = 2;
const WARM_UP: Duration = Duration::from_millis(500);
/// So long that the stop lies within it also where a signal takes a second or two to its node.
const MEASURED: Duration = Duration::from_secs(6);
/// How long the application is stopped.
const STOP: Stop = Stop {
    after: Duration::from_millis(1200),
    length: Duration::from_millis(400),
};
/// How far p99 may be from what follows from the stop.
const STOP_TOLERANCE: f64 = 0.1;
/// How much the same agent may differ from itself by, as a part of the delay.
const SAME_LIMIT: f64 = 0.25;
/// The delay that B is given, in microseconds.
const SEEDED_MICROSECONDS: f64 = 1000.0;
/// The variable by which a null agent is given it.
const DELAY_VARIABLE: &str = "NULL_AGENT_DELAY_MICROSECONDS";

/// What was seen of a stop and of a delay that were known.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SelfCheck {
    /// How many requests were due.
    pub requests: u64,
    /// How many of them were answered with 200 to 299.
    pub answered: u64,
    /// For how long the application stood still, by its own log, in milliseconds.
    pub stopped_milliseconds: f64,
    /// The p99 that follows from it, in milliseconds.
    pub expected_p99_milliseconds: f64,
    /// The p99 that was measured over all arms.
    pub measured_p99_milliseconds: f64,
    /// By how much an agent was made slower, in microseconds.
    pub seeded_microseconds: f64,
    /// By how much it was measured to be slower, at the median.
    pub found_microseconds: f64,
    /// By how much the same agent was measured to be slower than itself.
    pub same_microseconds: f64,
}

/// Runs the self-check.
///
/// # Errors
///
/// When its pod cannot be run, or the driver does not measure.
pub async fn run(setup: &RunSetup, plan: &BenchPlan) -> Result<SelfCheck, BenchError> {
    let seen = generations::run(setup, &plan_of(plan), 0, Some(STOP)).await?;
    Ok(SelfCheck::of(&seen))
}

/// Returns the plan of the self-check: that of the benchmark with other agents, and with a load that is known to be bearable.
fn plan_of(plan: &BenchPlan) -> BenchPlan {
    let null = |variables| Subject {
        variables,
        program: Program::Null,
        proxy: plan.stack.a.proxy.clone(),
    };
    let delay = (DELAY_VARIABLE.to_owned(), SEEDED_MICROSECONDS.to_string());
    BenchPlan {
        stack: BenchStack {
            a: null(BTreeMap::new()),
            b: null(BTreeMap::from([delay])),
        },
        arms: Arm::ALL.into(),
        undecided: Undecided::Refused,
        generations: 1,
        requests_per_second: REQUESTS_PER_SECOND,
        // At equal distances, what follows from the stop is exact.
        arrivals: Arrivals::Constant,
        warm_up: TimeSpan::new(WARM_UP),
        duration: TimeSpan::new(MEASURED),
        connections: CONNECTIONS,
        drivers: 1,
        request: request(&plan.target, 0, 0),
        ..plan.clone()
    }
}

impl SelfCheck {
    fn of(seen: &GenerationSeen) -> Self {
        let stopped = seen.application.longest_gap;
        let answered = seen.samples.iter().filter(|sample| counts(sample)).count();
        let median = |arm: Arm| {
            let of_arm = seen
                .samples
                .iter()
                .filter(|sample| sample.arm == arm.position());
            Percentile::P50.of_sorted(&latencies(of_arm)).unwrap_or(0.0)
        };
        let [a, again, b] = [Arm::A, Arm::AAgain, Arm::B].map(median);
        let p99 = Percentile::P99.of_sorted(&latencies(seen.samples.iter()));
        // Of what was due in the stop, each request waited for the rest of it; one in a hundred of all waited for longer than this.
        let expected = stopped.saturating_sub(MEASURED / 100);
        Self {
            requests: count(seen.samples.len()),
            answered: count(answered),
            stopped_milliseconds: stopped.as_secs_f64() * 1e3,
            expected_p99_milliseconds: expected.as_secs_f64() * 1e3,
            measured_p99_milliseconds: p99.unwrap_or(0.0) / 1e3,
            seeded_microseconds: SEEDED_MICROSECONDS,
            found_microseconds: b - f64::midpoint(a, again),
            same_microseconds: again - a,
        }
    }

    /// Says what was not seen as it was; nothing where all was.
    pub fn reasons_against(&self) -> Vec<String> {
        if self.answered < self.requests {
            // A time-out or a limit of the configuration: what was not answered says nothing of the generator.
            return vec![format!(
                "self-check: with the application stopped for {:.0} ms, {} of {} requests were not answered with 200 to 299",
                self.stopped_milliseconds,
                self.requests - self.answered,
                self.requests
            )];
        }
        let least = STOP.length.as_secs_f64() * 1e3 * (1.0 - STOP_TOLERANCE);
        if self.stopped_milliseconds < least {
            return vec![format!(
                "self-check: the application was stopped for {} ms, and its log has no gap longer than {:.0} ms",
                STOP.length.as_millis(),
                self.stopped_milliseconds
            )];
        }
        let mut reasons = Vec::new();
        let distance = (self.measured_p99_milliseconds - self.expected_p99_milliseconds).abs();
        if distance > STOP_TOLERANCE * self.expected_p99_milliseconds {
            reasons.push(format!("self-check: {}", StopSeen(self)));
        }
        let noise = SAME_LIMIT * self.seeded_microseconds;
        // A sleeping thread is woken late, and what comes meanwhile waits too: a delay is seen as more, and as less by the noise alone.
        let found = self.seeded_microseconds - noise..=3.0 * self.seeded_microseconds;
        if !found.contains(&self.found_microseconds) || self.same_microseconds.abs() > noise {
            reasons.push(format!("self-check: {}", DelaySeen(self)));
        }
        reasons
    }
}

fn count(requests: usize) -> u64 {
    u64::try_from(requests).unwrap_or(u64::MAX)
}

fn latencies<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<f64> {
    let counted = samples.filter(|sample| counts(sample));
    sorted(counted.map(Sample::latency_microseconds).collect())
}

struct StopSeen<'a>(&'a SelfCheck);
struct DelaySeen<'a>(&'a SelfCheck);

impl fmt::Display for StopSeen<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a stop of {:.0} ms is seen as a p99 of {:.0} ms, where {:.0} follow from it",
            self.0.stopped_milliseconds,
            self.0.measured_p99_milliseconds,
            self.0.expected_p99_milliseconds
        )
    }
}

impl fmt::Display for DelaySeen<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a delay of {:.0} µs is seen as {:.0} µs, and none as {:.0} µs",
            self.0.seeded_microseconds, self.0.found_microseconds, self.0.same_microseconds
        )
    }
}

impl fmt::Display for SelfCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", StopSeen(self), DelaySeen(self))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::bench::logs::Hits;
    use harness_traffic::latency::sample::Ending;

    fn seen(p99: f64, found: f64, same: f64) -> SelfCheck {
        SelfCheck {
            requests: 2700,
            answered: 2700,
            stopped_milliseconds: 400.0,
            expected_p99_milliseconds: 370.0,
            measured_p99_milliseconds: p99,
            seeded_microseconds: 1000.0,
            found_microseconds: found,
            same_microseconds: same,
        }
    }

    #[rstest]
    #[case(seen(380.0, 1080.0, -12.0), &[])]
    // What a generator sees that waits for its answers.
    #[case(seen(2.1, 1080.0, -12.0), &["a p99 of 2 ms, where 370 follow"])]
    #[case(seen(410.0, 1080.0, 0.0), &["a p99 of 410 ms"])]
    #[case(seen(370.0, 30.0, 0.0), &["is seen as 30 µs"])]
    #[case(seen(370.0, 3100.0, 0.0), &["is seen as 3100 µs"])]
    #[case(seen(370.0, 1000.0, 300.0), &["and none as 300 µs"])]
    #[case(SelfCheck { stopped_milliseconds: 3.0, ..seen(3.0, 1000.0, 0.0) }, &["has no gap longer than 3 ms"])]
    #[case(SelfCheck { answered: 2600, ..seen(2.0, 30.0, 0.0) }, &["100 of 2700 requests were not answered"])]
    #[case(seen(0.0, 0.0, 0.0), &["a p99 of 0 ms", "is seen as 0 µs"])]
    fn what_is_not_seen_as_it_was_is_a_reason(#[case] check: SelfCheck, #[case] said: &[&str]) {
        let reasons = check.reasons_against();
        assert_eq!(reasons.len(), said.len(), "{reasons:?}");
        for (reason, said) in reasons.iter().zip(said) {
            assert!(reason.contains(said), "{reason}");
        }
    }

    /// Returns what a generator sees that sends 900 requests a second for 6 s, of which the application lets the ones due in a stop wait for its end.
    fn samples(is_kept: impl Fn(u64) -> bool) -> GenerationSeen {
        const STOP_BEGIN: u64 = 1_000_000_000;
        const STOP_END: u64 = 1_400_000_000;
        let sample = |number: u64| {
            let due_nanoseconds = number * 1_000_000_000 / 900;
            let arm = u8::try_from(number % 6).expect("six arms");
            let own: u64 = if arm == Arm::B.position() {
                1_700_000
            } else {
                700_000
            };
            let waits = (STOP_BEGIN..STOP_END).contains(&due_nanoseconds);
            let wait = if waits { STOP_END - due_nanoseconds } else { 0 };
            Sample {
                due_nanoseconds,
                lateness_nanoseconds: 0,
                latency: u32::try_from((own + wait) / 10).expect("below 42 s"),
                status: 200,
                arm,
                generation: 0,
                ending: Ending::Answered,
                connection: 0,
                under_way: 0,
            }
        };
        let all = (0..5400).map(sample);
        GenerationSeen {
            samples: all
                .filter(|sample| is_kept(sample.due_nanoseconds))
                .collect(),
            usage: BTreeMap::new(),
            images: BTreeMap::new(),
            proxy: BTreeMap::new(),
            application: Hits {
                requests: 0,
                longest_gap: Duration::from_millis(400),
            },
        }
    }

    #[test]
    fn a_generator_that_sends_nothing_in_a_stop_is_found_out() {
        let open = SelfCheck::of(&samples(|_| true));
        assert_eq!(open.reasons_against(), Vec::<String>::new(), "{open}");
        assert!((open.found_microseconds - 1000.0).abs() < 1e-6);
        // Twelve connections are caught by the stop; nothing else is sent before its end.
        let closed = SelfCheck::of(&samples(|due| {
            !(1_013_000_000..1_400_000_000).contains(&due)
        }));
        let reasons = closed.reasons_against();
        assert!(
            reasons.len() == 1 && reasons[0].contains("is seen as a p99 of"),
            "{closed}"
        );
    }
}
