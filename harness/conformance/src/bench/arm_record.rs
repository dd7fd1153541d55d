//! What was measured of one arm, and what a program took for it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::generations::GenerationSeen;
use harness_traffic::latency::sample::{Ending, Sample};
use harness_verdict::latency::percentile::Percentile;
use harness_verdict::latency::series::{self, Series};

/// What was measured of an arm.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArmRecord {
    /// How many requests were due.
    pub requests: u64,
    /// How they ended, by kind: `answered` with 200 to 299, `denied` with another status, `lost`, `unreadable`, `given-up`.
    pub endings: BTreeMap<String, u64>,
    /// How many requests the proxy has had, by its log; those of the warm-up are among them.
    pub proxy_requests: u64,
    /// How many of these the proxy asked the agent about.
    pub asked: u64,
    /// How many of these went on without the agent's decision.
    pub failed_open: u64,
    /// How many of these the proxy denied without the agent's decision.
    #[serde(default)]
    pub failed_closed: u64,
    /// The latency of those that were answered with 200 to 299, in microseconds.
    pub latency_microseconds: BTreeMap<Percentile, f64>,
    /// The slowest of all answers, whatever their status, in microseconds.
    #[serde(default)]
    pub slowest_microseconds: Option<f64>,
    /// How long the proxy waited for the agent, by its log, in microseconds.
    pub authorization_microseconds: BTreeMap<Percentile, u64>,
    /// How late the generator was, in microseconds.
    pub lateness_microseconds: BTreeMap<Percentile, f64>,
    /// Processor time of the arm's agent for 1,000 requests, in milliseconds.
    pub processor_milliseconds_per_1000: Option<f64>,
    /// The largest memory of the arm's agent at the end of a generation, in bytes.
    pub resident_bytes: Option<u64>,
    /// What the cluster says that the arm's agent is: its image and the image's digest; none in `local`.
    #[serde(default)]
    pub image: Option<String>,
    /// What the arm's proxy took, where it has one of its own: A and B differ in theirs then.
    #[serde(default)]
    pub own_proxy: Option<Usage>,
}

/// What a program took.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Usage {
    /// Processor time for 1,000 requests, in milliseconds.
    pub processor_milliseconds_per_1000: Option<f64>,
    /// The largest memory at the end of a generation, in bytes.
    pub resident_bytes: Option<u64>,
}

impl ArmRecord {
    /// Returns how many requests were not answered with 200 to 299.
    pub fn unanswered(&self) -> u64 {
        let answered = self.endings.get("answered").copied().unwrap_or_default();
        self.requests.saturating_sub(answered)
    }

    /// Returns how many requests have no whole answer: their connection was lost, the answer was unreadable, or they were given up.
    pub fn without_answer(&self) -> u64 {
        self.requests.saturating_sub(self.with_status())
    }

    /// Returns how many requests have a whole answer, of whatever status.
    pub fn with_status(&self) -> u64 {
        let count = |ending: &str| self.endings.get(ending).copied().unwrap_or_default();
        count("answered") + count("denied")
    }

    /// Returns which part of the proxy's requests so many are.
    pub fn part(&self, requests: u64) -> f64 {
        approximate(requests) / approximate(self.proxy_requests.max(1))
    }
}

/// Returns the latencies of each arm.
pub(super) fn series_of(seen: &[GenerationSeen]) -> Vec<Series> {
    let samples: Vec<Sample> = samples_of(seen).copied().collect();
    series::by_arm(&samples, Arm::ALL.len(), seen.len())
}

fn samples_of(seen: &[GenerationSeen]) -> impl Iterator<Item = &Sample> {
    seen.iter().flat_map(|generation| &generation.samples)
}

/// Returns what was measured of each arm.
pub(super) fn arm_records(seen: &[GenerationSeen]) -> BTreeMap<Arm, ArmRecord> {
    let all = series_of(seen);
    Arm::ALL
        .into_iter()
        .zip(&all)
        .map(|(arm, series)| (arm, arm_record(arm, series, seen)))
        .collect()
}

fn arm_record(arm: Arm, series: &Series, seen: &[GenerationSeen]) -> ArmRecord {
    let own: Vec<&Sample> = samples_of(seen)
        .filter(|sample| sample.arm == arm.position())
        .collect();
    let mut endings = BTreeMap::new();
    for sample in &own {
        let ending = match sample.ending {
            Ending::Answered if series::counts(sample) => "answered",
            Ending::Answered => "denied",
            Ending::Lost => "lost",
            Ending::Unreadable => "unreadable",
            Ending::GivenUp => "given-up",
        };
        *endings.entry(ending.to_owned()).or_default() += 1;
    }
    let mut lateness: Vec<u32> = own
        .iter()
        .map(|sample| sample.lateness_nanoseconds)
        .collect();
    lateness.sort_unstable();
    let proxy = || {
        seen.iter()
            .filter_map(|generation| generation.proxy.get(&arm))
    };
    let mut waited: Vec<u64> = proxy()
        .flat_map(|proxy| proxy.authorization_microseconds.iter().copied())
        .collect();
    waited.sort_unstable();
    let requests: u64 = proxy().map(|proxy| proxy.requests).sum();
    let Usage {
        processor_milliseconds_per_1000,
        resident_bytes,
    } = usage(arm.name(), requests, seen);
    ArmRecord {
        requests: u64::try_from(own.len()).unwrap_or(u64::MAX),
        endings,
        proxy_requests: requests,
        asked: proxy().map(|proxy| proxy.asked).sum(),
        failed_open: proxy().map(|proxy| proxy.failed_open).sum(),
        failed_closed: proxy().map(|proxy| proxy.failed_closed).sum(),
        latency_microseconds: series::percentiles(series),
        slowest_microseconds: { own.iter() }
            .filter(|sample| sample.ending == Ending::Answered)
            .map(|sample| sample.latency_microseconds())
            .max_by(f64::total_cmp),
        authorization_microseconds: percentiles_of(&waited, |microseconds| microseconds),
        lateness_microseconds: percentiles_of(&lateness, |late| f64::from(late) / 1000.0),
        processor_milliseconds_per_1000,
        resident_bytes,
        image: { seen.iter() }
            .find_map(|generation| generation.images.get(arm.name()))
            .cloned(),
        own_proxy: None,
    }
}

/// Returns what a container took for so many requests; nothing where there is no such container.
pub(super) fn usage(container: &str, requests: u64, seen: &[GenerationSeen]) -> Usage {
    let used = || {
        seen.iter()
            .filter_map(|generation| generation.usage.get(container))
    };
    let processor: f64 = used().map(|used| used.processor.as_secs_f64()).sum();
    let is_known = used().next().is_some() && requests > 0;
    Usage {
        processor_milliseconds_per_1000: is_known.then(|| processor * 1e6 / approximate(requests)),
        resident_bytes: used().map(|used| used.resident_bytes).max(),
    }
}

/// Returns the percentiles of values in ascending order, with those left out that there are too few for.
fn percentiles_of<T: Copy, P>(sorted: &[T], in_unit: impl Fn(T) -> P) -> BTreeMap<Percentile, P> {
    Percentile::ALL
        .into_iter()
        .filter(|percentile| sorted.len() >= percentile.samples_needed())
        .filter_map(|percentile| Some((percentile, in_unit(percentile.of_sorted(sorted)?))))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn approximate(count: u64) -> f64 {
    count as f64
}
