//! What one arm's samples say, generation by generation.

use std::collections::BTreeMap;

use super::percentile::Percentile;
use harness_traffic::latency::sample::{Ending, Sample};

/// The latencies of an arm in one generation, by the block of time in which they were due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    /// Latencies in microseconds, by block.
    pub blocks: Vec<Vec<f64>>,
}

/// An arm's latencies, generation by generation.
pub type Series = Vec<Generation>;

/// How long a block is. Requests within one are not independent: they queue behind each other.
pub const BLOCK_NANOSECONDS: u64 = 250_000_000;

/// Sorts samples by arm and generation. Only whole answers with a status of 200 to 299 have a latency that counts: whatever failed open, was denied or
/// lost is counted elsewhere.
pub fn by_arm(samples: &[Sample], arms: usize, generations: usize) -> Vec<Series> {
    let mut series = vec![vec![Generation::default(); generations]; arms];
    for sample in samples.iter().filter(|sample| counts(sample)) {
        let arm = series.get_mut(usize::from(sample.arm));
        let Some(generation) = arm.and_then(|arm| arm.get_mut(usize::from(sample.generation)))
        else {
            continue;
        };
        let block = usize::try_from(sample.due_nanoseconds / BLOCK_NANOSECONDS).unwrap_or(0);
        if generation.blocks.len() <= block {
            generation.blocks.resize_with(block + 1, Vec::new);
        }
        generation.blocks[block].push(sample.latency_microseconds());
    }
    series
}

/// Returns whether the sample has a latency that counts.
pub fn counts(sample: &Sample) -> bool {
    sample.ending == Ending::Answered && (200..300).contains(&sample.status)
}

/// Returns the percentiles of everything that an arm has, with those left out that it has too few samples for.
pub fn percentiles(series: &Series) -> BTreeMap<Percentile, f64> {
    let all = series.iter().flat_map(Generation::latencies).collect();
    let sorted = sorted(all);
    Percentile::ALL
        .into_iter()
        .filter(|percentile| sorted.len() >= percentile.samples_needed())
        .filter_map(|percentile| Some((percentile, percentile.of_sorted(&sorted)?)))
        .collect()
}

/// Returns how many latencies an arm has.
pub fn count(series: &Series) -> usize {
    series.iter().map(Generation::count).sum()
}

impl Generation {
    /// Returns every latency.
    pub fn latencies(&self) -> impl Iterator<Item = f64> {
        self.blocks.iter().flatten().copied()
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// Returns a percentile; none where there are too few samples for it.
    pub fn percentile(&self, percentile: Percentile) -> Option<f64> {
        if self.count() < percentile.samples_needed() {
            return None;
        }
        percentile.of_unsorted(&mut self.latencies().collect::<Vec<f64>>())
    }
}

/// Puts latencies into ascending order.
pub fn sorted(mut latencies: Vec<f64>) -> Vec<f64> {
    latencies.sort_unstable_by(f64::total_cmp);
    latencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_answered_well_has_a_latency() {
        let good = Sample {
            due_nanoseconds: BLOCK_NANOSECONDS,
            lateness_nanoseconds: 0,
            latency: 12_345,
            status: 200,
            arm: 1,
            generation: 0,
            ending: Ending::Answered,
            connection: 0,
            under_way: 0,
        };
        let denied = Sample {
            status: 403,
            ..good
        };
        let lost = Sample {
            ending: Ending::Lost,
            ..good
        };
        let elsewhere = Sample { arm: 9, ..good };
        let series = by_arm(&[good, denied, lost, elsewhere], 2, 1);
        assert_eq!(count(&series[0]), 0);
        assert_eq!(series[1][0].blocks, [vec![], vec![123.45]]);
    }
}
