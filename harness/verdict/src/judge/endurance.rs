//! Judges what an agent takes of its machine while it works and while it rests.

use harness_core::model::finding_kind::FindingKind;
use std::time::Duration;

use harness_core::model::byte_size::ByteSize;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::finding::Finding;
use harness_core::model::located::Located;
use harness_core::model::timespan::TimeSpan;

/// The time in which an agent can run is taken to be no less than this part of its rest: several threads wait for longer than they rest.
const LEAST_SHARE: u32 = 8;

/// How much more than before so many requests an agent may take, each with the place where the scenario says so.
#[derive(Clone, Copy, Debug)]
pub struct EnduranceBounds {
    /// How many requests of each kind are answered between the two looks.
    pub requests: Located<u32>,
    /// By how much its resident memory may grow.
    pub memory_growth: Located<ByteSize>,
    /// How many more descriptors it may have open.
    pub descriptors_growth: Located<u64>,
    /// The most that it may use of one processor at rest: 1 is a whole core.
    pub idle_processor_share: Located<f64>,
    /// How many times as long as before the proxy may wait for it.
    pub slowdown: Located<f64>,
    /// How much longer than before it may wait in any case.
    pub slowdown_margin: Located<TimeSpan>,
}

/// What was read of the agent.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    /// After the warm-up.
    pub before: ContainerUsage,
    /// After the requests, when none was under way any more.
    pub after: ContainerUsage,
    /// Some time later, without a request.
    pub rested: ContainerUsage,
    /// The time between the last two.
    pub rest: Duration,
    /// How long the proxy waited for the agent; none where it measured nothing.
    pub waits: Option<Waits>,
}

/// How long the proxy waited for the agent, in the median, when each request was answered before the next was sent. Under load such a wait
/// would be the queue's, which grows without end on a machine that has too much to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Waits {
    /// Before the requests.
    pub before: Duration,
    /// After them.
    pub after: Duration,
}

impl Waits {
    /// Takes the medians of the measures; none where there are no measures on one side.
    pub fn of(before: &[Duration], after: &[Duration]) -> Option<Self> {
        Some(Self {
            before: median(before)?,
            after: median(after)?,
        })
    }
}

impl Readings {
    /// Returns how much of one processor was used while there was nothing to do, as a share of the time in which the agent did not wait for
    /// one: on a busy machine an agent that spins gets little.
    pub fn idle_share(&self) -> f64 {
        let used = self.rested.processor_time;
        let used = used.saturating_sub(self.after.processor_time);
        let could_run = self.rest.saturating_sub(self.waited_at_rest());
        let could_run = could_run.max(self.rest / LEAST_SHARE);
        used.as_secs_f64() / could_run.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Returns for how long the agent waited for a processor while there was nothing to do.
    fn waited_at_rest(&self) -> Duration {
        let waited = self.rested.processor_wait;
        waited.saturating_sub(self.after.processor_wait)
    }
}

/// Names every bound that was not kept.
pub fn judge(bounds: &EnduranceBounds, readings: &Readings) -> Vec<Finding> {
    [
        judge_restart(bounds, readings),
        judge_memory(bounds, readings),
        judge_descriptors(bounds, readings),
        judge_processor(bounds, readings),
        judge_waits(bounds, readings.waits),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A process that was replaced has given everything back, and shows nothing.
fn judge_restart(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let processes =
        [readings.before, readings.after, readings.rested].map(|look| look.first_process);
    let [before, after, rested] = processes;
    (before != after || after != rested).then(|| {
        Finding::new(
            FindingKind::AgentRestarted,
            bounds.requests.position,
            "the agent is one process from the first look to the last",
            format!("process {before}, then {after}, then {rested}"),
        )
    })
}

fn judge_memory(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let [before, after] =
        [readings.before, readings.after].map(|look| ByteSize::new(look.resident_bytes));
    let growth = after.beyond(before);
    (growth > *bounds.memory_growth).then(|| {
        Finding::new(
            FindingKind::MemoryGrowth,
            bounds.memory_growth.position,
            format!(
                "it grows by at most {} over {}",
                *bounds.memory_growth,
                requests(bounds)
            ),
            format!("by {growth}, from {before} to {after}"),
        )
    })
}

fn judge_descriptors(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let [before, after] = [readings.before, readings.after].map(|look| look.descriptors);
    let growth = after.saturating_sub(before);
    (growth > *bounds.descriptors_growth).then(|| {
        Finding::new(
            FindingKind::DescriptorGrowth,
            bounds.descriptors_growth.position,
            format!(
                "at most {} more are open after {}",
                *bounds.descriptors_growth,
                requests(bounds)
            ),
            format!("{growth} more, {before} before and {after} after"),
        )
    })
}

fn judge_processor(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let share = readings.idle_share();
    (share > *bounds.idle_processor_share).then(|| {
        Finding::new(
            FindingKind::IdleProcessor,
            bounds.idle_processor_share.position,
            format!(
                "at most {:.2} of a core is used while no request is under way",
                *bounds.idle_processor_share
            ),
            format!(
                "{share:.2}, over {} ms, in {} of which it waited for one",
                readings.rest.as_millis(),
                readings.waited_at_rest().as_millis()
            ),
        )
    })
}

fn judge_waits(bounds: &EnduranceBounds, waits: Option<Waits>) -> Option<Finding> {
    let bound = format!(
        "after {} the proxy waits for the agent at most {} times as long as before them, or {} longer",
        requests(bounds),
        *bounds.slowdown,
        *bounds.slowdown_margin
    );
    let observed = match waits {
        None => "no check that the proxy has measured".into(),
        Some(waits) if is_slower(bounds, waits) => format!(
            "slower: {} before, {} after, in the median",
            milliseconds(waits.before),
            milliseconds(waits.after)
        ),
        Some(_) => return None,
    };
    Some(Finding::new(
        FindingKind::Slowdown,
        bounds.slowdown.position,
        bound,
        observed,
    ))
}

/// Both bounds have to be passed: twice of next to nothing is next to nothing.
fn is_slower(bounds: &EnduranceBounds, waits: Waits) -> bool {
    let Waits { before, after } = waits;
    after.as_secs_f64() > before.as_secs_f64() * *bounds.slowdown
        && after > before + bounds.slowdown_margin.as_duration()
}

/// Writes a wait in milliseconds, to the microsecond.
pub fn milliseconds(wait: Duration) -> String {
    format!("{:.3} ms", wait.as_secs_f64() * 1_000.0)
}

fn requests(bounds: &EnduranceBounds) -> String {
    format!("{} requests", u64::from(*bounds.requests) * 2)
}

/// Returns the upper one of the two in the middle where there are two.
fn median(measures: &[Duration]) -> Option<Duration> {
    let mut sorted = measures.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MEBIBYTE: u64 = 1 << 20;

    fn bounds() -> EnduranceBounds {
        EnduranceBounds {
            requests: Located::unwritten(20),
            memory_growth: Located::unwritten(ByteSize::new(32 * MEBIBYTE)),
            descriptors_growth: Located::unwritten(32),
            idle_processor_share: Located::unwritten(0.5),
            slowdown: Located::unwritten(2.0),
            slowdown_margin: Located::unwritten(TimeSpan::new(Duration::from_millis(100))),
        }
    }

    /// An agent that uses up exactly what it may.
    fn at_the_bounds() -> Readings {
        let before = ContainerUsage {
            first_process: 7,
            resident_bytes: 10 * MEBIBYTE,
            descriptors: 20,
            processor_time: Duration::from_millis(300),
            processor_wait: Duration::from_millis(100),
        };
        let after = ContainerUsage {
            resident_bytes: 42 * MEBIBYTE,
            descriptors: 52,
            processor_time: Duration::from_millis(900),
            ..before
        };
        let rested = ContainerUsage {
            processor_time: Duration::from_millis(1_900),
            ..after
        };
        Readings {
            before,
            after,
            rested,
            rest: Duration::from_secs(2),
            waits: Some(waits(100, 200)),
        }
    }

    fn waits(before: u64, after: u64) -> Waits {
        Waits {
            before: Duration::from_millis(before),
            after: Duration::from_millis(after),
        }
    }

    fn only_finding(readings: &Readings) -> (String, String) {
        let findings = judge(&bounds(), readings);
        let [finding] = findings.as_slice() else {
            panic!("one finding, not {findings:?}");
        };
        (finding.kind.to_string(), finding.observed.clone())
    }

    #[test]
    fn an_agent_at_its_bounds_keeps_them() {
        assert_eq!(judge(&bounds(), &at_the_bounds()), []);
    }

    #[test]
    fn an_agent_that_gives_back_what_it_had_keeps_its_bounds() {
        let mut readings = at_the_bounds();
        readings.after.resident_bytes = 0;
        readings.after.descriptors = 0;
        assert_eq!(judge(&bounds(), &readings), []);
    }

    #[test]
    fn memory_beyond_its_bound_is_named_with_its_figures() {
        let mut readings = at_the_bounds();
        readings.after.resident_bytes = 43 * MEBIBYTE;
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "memory");
        assert_eq!(observed, "by 33 MiB, from 10 MiB to 43 MiB");
    }

    #[test]
    fn descriptors_beyond_their_bound_are_named_with_their_figures() {
        let mut readings = at_the_bounds();
        readings.after.descriptors = 53;
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "descriptors");
        assert_eq!(observed, "33 more, 20 before and 53 after");
    }

    #[test]
    fn an_agent_that_does_not_rest_is_named_with_its_share() {
        let mut readings = at_the_bounds();
        readings.rested.processor_time = Duration::from_millis(2_100);
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "processor");
        assert_eq!(
            observed,
            "0.60, over 2000 ms, in 0 of which it waited for one"
        );
    }

    #[rstest]
    #[case::one_that_spins_where_others_do(
        1_500,
        500,
        "1.00, over 2000 ms, in 1500 of which it waited for one"
    )]
    #[case::one_with_threads_that_spin(
        4_000,
        200,
        "0.80, over 2000 ms, in 4000 of which it waited for one"
    )]
    fn an_agent_that_does_not_rest_is_named_where_it_gets_little_of_a_processor(
        #[case] waited: u64,
        #[case] used: u64,
        #[case] said: &str,
    ) {
        let mut readings = at_the_bounds();
        let waited = Duration::from_millis(waited);
        let used = Duration::from_millis(used);
        readings.rested.processor_wait = readings.after.processor_wait + waited;
        readings.rested.processor_time = readings.after.processor_time + used;
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "processor");
        assert_eq!(observed, said);
    }

    #[test]
    fn an_agent_that_rests_on_a_busy_machine_keeps_its_bound() {
        let mut readings = at_the_bounds();
        readings.rested.processor_wait += Duration::from_secs(3);
        readings.rested.processor_time = readings.after.processor_time + Duration::from_millis(100);
        assert_eq!(judge(&bounds(), &readings), []);
    }

    #[test]
    fn an_agent_that_became_slower_is_named_with_both_medians() {
        let mut readings = at_the_bounds();
        readings.waits = Some(waits(100, 201));
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "slowdown");
        assert_eq!(
            observed,
            "slower: 100.000 ms before, 201.000 ms after, in the median"
        );
    }

    #[rstest]
    #[case::many_times_as_long_but_short(1, 101)]
    #[case::much_longer_but_not_many_times(400, 800)]
    fn an_agent_that_passes_one_of_two_bounds_is_not_slower(
        #[case] before: u64,
        #[case] after: u64,
    ) {
        let mut readings = at_the_bounds();
        readings.waits = Some(waits(before, after));
        assert_eq!(judge(&bounds(), &readings), []);
    }

    #[test]
    fn an_agent_that_nobody_measured_is_not_passed() {
        let mut readings = at_the_bounds();
        readings.waits = Waits::of(&[Duration::ZERO], &[]);
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "slowdown");
        assert_eq!(observed, "no check that the proxy has measured");
    }

    #[test]
    fn an_agent_that_was_started_again_is_named() {
        let mut readings = at_the_bounds();
        readings.before.first_process = 5;
        let (expectation, observed) = only_finding(&readings);
        assert_eq!(expectation, "restarted");
        assert_eq!(observed, "process 5, then 7, then 7");
    }

    #[test]
    fn one_long_wait_is_no_slowdown() {
        let before = [9, 1, 2].map(Duration::from_millis);
        let after = [30, 90, 20].map(Duration::from_millis);
        assert_eq!(Waits::of(&before, &after), Some(waits(2, 30)));
    }
}
