//! Judges what an agent takes of its machine while it works and while it rests.

use std::time::Duration;

use crate::witness::join::Joined;
use crate::witness::outcome::Judgement;
use harness_core::model::byte_size::ByteSize;
use harness_core::model::container_usage::ContainerUsage;
use harness_core::model::datum::{Datum, Quantity};
use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::identity::RequestId;
use harness_core::model::located::{Located, Position};
use harness_core::model::stream_kind::StreamKind;
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
            "the agent is one process from the first reading to the last",
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
            Datum::AtMost((*bounds.memory_growth).into()),
            Quantity::from(growth),
        )
        .note(format!(
            "the agent's resident memory: {before} before {}, {after} after",
            requests(bounds)
        ))
    })
}

fn judge_descriptors(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let [before, after] = [readings.before, readings.after].map(|look| look.descriptors);
    let growth = after.saturating_sub(before);
    (growth > *bounds.descriptors_growth).then(|| {
        Finding::new(
            FindingKind::DescriptorGrowth,
            bounds.descriptors_growth.position,
            Datum::AtMost(Quantity::Count(*bounds.descriptors_growth)),
            Quantity::Count(growth),
        )
        .note(format!(
            "the agent's open file descriptors: {before} before {}, {after} after",
            requests(bounds)
        ))
    })
}

fn judge_processor(bounds: &EnduranceBounds, readings: &Readings) -> Option<Finding> {
    let share = readings.idle_share();
    (share > *bounds.idle_processor_share).then(|| {
        Finding::new(
            FindingKind::IdleProcessor,
            bounds.idle_processor_share.position,
            Datum::AtMost(Quantity::Percent(percent_of(*bounds.idle_processor_share))),
            Quantity::Percent(percent_of(share)),
        )
        .note(format!(
            "of one processor, over {} ms without a request, in {} ms of which the agent waited for a processor",
            readings.rest.as_millis(),
            readings.waited_at_rest().as_millis()
        ))
    })
}

fn judge_waits(bounds: &EnduranceBounds, waits: Option<Waits>) -> Option<Finding> {
    let (expected, observed) = match waits {
        None => (
            "a wait for the agent that the proxy measured".into(),
            Datum::Nothing,
        ),
        Some(waits) if waits.after > longest_wait(bounds, waits.before) => (
            Datum::AtMost(longest_wait(bounds, waits.before).into()),
            Datum::Quantity(waits.after.into()),
        ),
        Some(_) => return None,
    };
    let finding = Finding::new(
        FindingKind::Slowdown,
        bounds.slowdown.position,
        expected,
        observed,
    );
    Some(finding.note(format!(
        "after {} the proxy may wait for the agent {} times as long as before them, or {} longer{}",
        requests(bounds),
        *bounds.slowdown,
        *bounds.slowdown_margin,
        waits.map_or_else(String::new, |waits| format!(
            "; it waited {} before, {} after, in the median",
            milliseconds(waits.before),
            milliseconds(waits.after)
        ))
    )))
}

/// Both bounds have to be passed: twice of next to nothing is next to nothing.
fn longest_wait(bounds: &EnduranceBounds, before: Duration) -> Duration {
    let multiple = Duration::try_from_secs_f64(before.as_secs_f64() * *bounds.slowdown);
    let margin = before.saturating_add(bounds.slowdown_margin.as_duration());
    multiple.unwrap_or(Duration::MAX).max(margin)
}

/// Returns a share in percent, rounded up: what is over a bound must not be shown as if it kept it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of processors is small and not negative, and the conversion saturates"
)]
fn percent_of(share: f64) -> u64 {
    // Without the rest that a fraction has as a float: 0.07 is 7 %, not 8 %.
    (share * 100.0 - 1e-9).ceil() as u64
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

/// Checks that a request of one of the two streams has the outcome that its kind has while nothing is amiss.
pub fn judge_request(
    (kind, case): (StreamKind, &str),
    position: Position,
    joined: &Joined,
    judgement: &Judgement,
) -> Option<Finding> {
    let expected = kind.usual();
    (judgement.outcome != expected).then(|| {
        let finding = Finding::new(FindingKind::Outcome, position, expected, judgement.outcome)
            .about(case, &RequestId::from_witness(&joined.client.id));
        judgement.reasons.iter().fold(finding, Finding::note)
    })
}

#[cfg(test)]
#[path = "endurance_tests.rs"]
mod tests;
