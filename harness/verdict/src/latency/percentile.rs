//! Percentiles of raw samples: nothing is put into classes, nothing is interpolated.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A percentile that reports name.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Percentile {
    /// The median.
    P50,
    /// Nine of ten requests took no longer.
    P90,
    /// 99 of 100 took no longer.
    P99,
    /// 999 of 1,000 took no longer.
    P999,
}

impl Percentile {
    /// Every percentile.
    pub const ALL: [Self; 4] = [Self::P50, Self::P90, Self::P99, Self::P999];

    /// Returns the fraction of requests that took no longer, in thousandths.
    const fn thousandths(self) -> usize {
        match self {
            Self::P50 => 500,
            Self::P90 => 900,
            Self::P99 => 990,
            Self::P999 => 999,
        }
    }

    /// Returns how many samples there must be so that at least five lie beyond it: with fewer it says nothing.
    pub const fn samples_needed(self) -> usize {
        5 * 1000 / (1000 - self.thousandths())
    }

    /// Returns the percentile of values in ascending order: the smallest one that enough of them do not exceed. None of none.
    pub fn of_sorted<T: Copy>(self, sorted: &[T]) -> Option<T> {
        sorted.get(self.position(sorted.len())).copied()
    }

    /// Returns the percentile of values in any order, which it changes: a fraction of what sorting takes. None of none.
    pub fn of_unsorted(self, values: &mut [f64]) -> Option<f64> {
        let position = self.position(values.len());
        let is_there = position < values.len();
        is_there.then(|| *values.select_nth_unstable_by(position, f64::total_cmp).1)
    }

    fn position(self, count: usize) -> usize {
        (count * self.thousandths())
            .div_ceil(1000)
            .saturating_sub(1)
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_values_that_were_there() {
        let thousand: Vec<u32> = (1..=1000).collect();
        let of = |percentile: Percentile| percentile.of_sorted(&thousand);
        assert_eq!(
            Percentile::ALL.map(of),
            [Some(500), Some(900), Some(990), Some(999)]
        );
        assert_eq!(Percentile::P50.of_sorted(&[7]), Some(7));
        assert_eq!(Percentile::P50.of_sorted::<u32>(&[]), None);
        assert_eq!(Percentile::P999.samples_needed(), 5000);
    }

    proptest! {
        #[test]
        fn at_least_so_many_do_not_exceed_it(mut values in prop::collection::vec(any::<u16>(), 1..500)) {
            values.sort_unstable();
            for percentile in Percentile::ALL {
                let value = percentile.of_sorted(&values).expect("there are some");
                let within = values.iter().filter(|other| **other <= value).count();
                let below = values.iter().filter(|other| **other < value).count();
                prop_assert!(within * 1000 >= percentile.thousandths() * values.len());
                prop_assert!(below * 1000 < percentile.thousandths() * values.len());
                let mut unsorted: Vec<f64> = values.iter().rev().map(|other| f64::from(*other)).collect();
                prop_assert_eq!(percentile.of_unsorted(&mut unsorted), Some(f64::from(value)));
            }
        }
    }
}
