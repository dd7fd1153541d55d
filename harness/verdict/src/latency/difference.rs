//! The difference between two arms at a percentile, with its interval.
//!
//! Each generation gives one difference between arms that were measured in the same seconds. The interval is Student's, over the generations: what a
//! process has from its start (its memory layout, the luck of its connections) is the same for all of its requests, so that more requests do not
//! make it smaller; only more generations do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::percentile::Percentile;
use super::series::{Generation, Series};
use super::student::{OF_A_VERDICT, REPORTED, reach};
use harness_core::corpus::random::Random;

/// How often the blocks of a generation are drawn anew.
const RESAMPLES: usize = 200;
/// Two generations give an interval, if a wide one.
const GENERATIONS_NEEDED: usize = 2;

/// A difference, in microseconds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Difference {
    /// The mean of the generations' differences.
    pub estimate: f64,
    /// The lower end of its 95 % interval.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// How many generations it is made of.
    pub generations: usize,
}

impl Difference {
    /// Returns how far the interval reaches to either side.
    pub fn half_width(&self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// Returns by how much a difference has grown from one run to another, with the interval of two means that were measured apart (Welch).
    /// `generations` is then one more than its degrees of freedom.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let [own, others] = [self, before].map(Self::variance_of_mean);
        let variance = own + others;
        let estimate = self.estimate - before.estimate;
        let degrees = welch_degrees(&[(own, self.generations), (others, before.generations)]);
        let reach = reach(degrees, REPORTED) * variance.sqrt();
        Self {
            estimate,
            lower: estimate - reach,
            upper: estimate + reach,
            generations: degrees + 1,
        }
    }

    fn variance_of_mean(&self) -> f64 {
        let degrees = self.generations.saturating_sub(1);
        (self.half_width() / reach(degrees, REPORTED)).powi(2)
    }

    /// Returns how far the interval that a verdict needs reaches to either side.
    pub(super) fn half_width_of_a_verdict(&self) -> f64 {
        let degrees = self.generations.saturating_sub(1);
        self.half_width() * reach(degrees, OF_A_VERDICT) / reach(degrees, REPORTED)
    }
}

/// Returns the degrees of freedom of the difference of two means, given the variance of each and how many values it is made of (Satterthwaite);
/// rounded down, which makes an interval wider and never narrower.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it lies between the smaller and the sum of two small counts"
)]
fn welch_degrees(means: &[(f64, usize); 2]) -> usize {
    let degrees = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) - 1.0;
    let total: f64 = means.iter().map(|(variance, _)| variance).sum();
    let parts: f64 = { means.iter() }
        .map(|(variance, count)| variance.powi(2) / degrees(*count).max(1.0))
        .sum();
    if parts > 0.0 {
        (total.powi(2) / parts) as usize
    } else {
        means.iter().map(|(_, count)| count.saturating_sub(1)).sum()
    }
}

/// Returns by how much an arm is slower than others, which stand for the same thing and are averaged. None where fewer than two generations have
/// enough samples in all of the arms.
pub fn difference(arm: &Series, others: &[&Series], percentile: Percentile) -> Option<Difference> {
    let differences: Vec<f64> = pairs(arm, others)
        .filter_map(|(own, others)| of_generation(own, &others, percentile))
        .collect();
    if differences.len() < GENERATIONS_NEEDED {
        return None;
    }
    let estimate = mean(&differences);
    let error = (variance(&differences) / count_of(&differences)).sqrt();
    let reach = reach(differences.len() - 1, REPORTED) * error;
    Some(Difference {
        estimate,
        lower: estimate - reach,
        upper: estimate + reach,
        generations: differences.len(),
    })
}

/// Returns which part of the spread between the generations' differences their requests account for, from 0 to 1; the rest is in the processes.
/// It is estimated by a bootstrap over blocks of time.
pub(super) fn due_to_requests(
    arm: &Series,
    others: &[&Series],
    percentile: Percentile,
    seed: u64,
) -> f64 {
    let mut random = Random::new(seed, "bootstrap");
    let observed =
        { pairs(arm, others) }.filter_map(|(own, others)| of_generation(own, &others, percentile));
    let spread = variance(&observed.collect::<Vec<f64>>());
    let of_requests: Vec<f64> = pairs(arm, others)
        .map(|(own, others)| variance_of_requests(own, &others, percentile, &mut random))
        .collect();
    if spread > 0.0 {
        (mean(&of_requests) / spread).min(1.0)
    } else {
        1.0
    }
}

/// Returns each generation of an arm with the same one of the others.
fn pairs<'a>(
    arm: &'a Series,
    others: &'a [&'a Series],
) -> impl Iterator<Item = (&'a Generation, Vec<&'a Generation>)> {
    arm.iter().enumerate().filter_map(|(number, generation)| {
        let counterparts: Option<Vec<&Generation>> =
            others.iter().map(|other| other.get(number)).collect();
        Some((generation, counterparts?))
    })
}

fn of_generation(
    generation: &Generation,
    others: &[&Generation],
    percentile: Percentile,
) -> Option<f64> {
    let own = generation.percentile(percentile)?;
    let others: Option<Vec<f64>> = { others.iter() }
        .map(|other| other.percentile(percentile))
        .collect();
    Some(own - mean(&others?))
}

/// Estimates how much a generation's difference would vary if its seconds were others: the same blocks are drawn for all arms, since what hits one
/// second hits all of them.
fn variance_of_requests(
    generation: &Generation,
    others: &[&Generation],
    percentile: Percentile,
    random: &mut Random,
) -> f64 {
    let blocks = others
        .iter()
        .map(|other| other.blocks.len())
        .fold(generation.blocks.len(), usize::min);
    if blocks == 0 {
        return 0.0;
    }
    let differences: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let drawn: Vec<usize> = (0..blocks).map(|_| random.below(blocks)).collect();
            let of = |generation: &Generation| {
                let latencies = drawn.iter().flat_map(|block| &generation.blocks[*block]);
                percentile.of_unsorted(&mut latencies.copied().collect::<Vec<f64>>())
            };
            let others: Option<Vec<f64>> = others.iter().map(|other| of(other)).collect();
            Some(of(generation)? - mean(&others?))
        })
        .collect();
    variance(&differences)
}

fn count_of(values: &[f64]) -> f64 {
    f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count_of(values).max(1.0)
}

/// Returns the variance of a sample; 0 of fewer than two values.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (count_of(values) - 1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(generations: Vec<Vec<f64>>) -> Series {
        let of = |latencies| Generation {
            blocks: vec![latencies],
        };
        generations.into_iter().map(of).collect()
    }

    #[test]
    fn generations_make_the_interval_and_one_is_not_enough() {
        let arm = series(vec![vec![12.0; 20], vec![14.0; 20], vec![13.0; 20]]);
        let other = series(vec![vec![10.0; 20]; 3]);
        let found = difference(&arm, &[&other], Percentile::P50).expect("three generations");
        assert!((found.estimate - 3.0).abs() < 1e-9);
        // Student: 4.303 standard errors of 1/√3.
        assert!((found.half_width() - 4.303 / 3.0_f64.sqrt()).abs() < 0.001);
        assert!(difference(&arm[..1].to_vec(), &[&other], Percentile::P50).is_none());
        assert!(
            difference(&arm, &[&other], Percentile::P99).is_none(),
            "too few samples"
        );
    }

    fn of_run(estimate: f64, half_width: f64, generations: usize) -> Difference {
        Difference {
            estimate,
            lower: estimate - half_width,
            upper: estimate + half_width,
            generations,
        }
    }

    #[test]
    fn two_runs_are_compared_as_two_means() {
        // Standard errors of 2 and 1 with 9 and 4 degrees of freedom: (4 + 1)² / (16/9 + 1/4) = 12.3.
        let before = of_run(300.0, 2.0 * reach(9, REPORTED), 10);
        let after = of_run(340.0, reach(4, REPORTED), 5);
        let change = after.since(&before);
        assert!((change.estimate - 40.0).abs() < 1e-9);
        assert_eq!(change.generations, 13);
        assert!((change.half_width() - reach(12, REPORTED) * 5.0_f64.sqrt()).abs() < 1e-9);
        let same = of_run(300.0, 0.0, 3);
        assert_eq!(same.since(&same).generations, 5);
    }

    proptest! {
        #[test]
        fn a_shift_of_every_request_is_the_shift_of_the_difference(
            latencies in prop::collection::vec(prop::collection::vec(1.0_f64..1e5, 20..60), 3..6),
            shift in -500.0_f64..500.0,
        ) {
            let arm = series(latencies.clone());
            let shifted = latencies.iter().map(|generation| generation.iter().map(|latency| latency + shift).collect());
            let shifted = series(shifted.collect());
            let found = difference(&shifted, &[&arm], Percentile::P50).expect("enough");
            prop_assert!((found.estimate - shift).abs() < 1e-6);
            prop_assert!(found.lower <= found.estimate && found.estimate <= found.upper);
            let back = difference(&arm, &[&shifted], Percentile::P50).expect("enough");
            prop_assert!((back.estimate + found.estimate).abs() < 1e-6);
        }
    }
}
