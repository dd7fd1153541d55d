//! How much a count proves: the exact upper bound on a proportion (Clopper and Pearson), one-sided, with 95 % confidence.

use std::fmt;

/// What the names of observations begin with that say what a count proves.
pub const PROVEN: &str = "proven:";

/// The chance that the true proportion lies above the bound.
const DOUBT: f64 = 0.05;
/// Halvings of the interval: beyond the resolution of a 64-bit float in it.
const HALVINGS: u32 = 60;

/// So many of so many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Share {
    /// How many were.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

impl Share {
    /// Returns the proportion above which so few would be seen in one of twenty trials at most: the root of `P(X <= count) = 0.05`.
    /// Nothing is proved of nothing: the bound is then 1.
    pub fn upper_bound(self) -> f64 {
        if self.count >= self.of {
            return 1.0;
        }
        let (mut low, mut high) = (self.proportion(), 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.chance_of_so_few(middle) > DOUBT {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    fn proportion(self) -> f64 {
        as_float(self.count) / as_float(self.of)
    }

    /// The binomial distribution's lower tail, term by term: each is the one before it times a ratio. In logarithms, since the first may be
    /// smaller than any float.
    fn chance_of_so_few(self, proportion: f64) -> f64 {
        let (of, odds) = (as_float(self.of), (proportion / (1.0 - proportion)).ln());
        let mut term = of * (-proportion).ln_1p();
        let mut sum = term.exp();
        for count in 1..=self.count {
            let count = as_float(count);
            term += (of - count + 1.0).ln() - count.ln() + odds;
            sum += term.exp();
        }
        sum
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up: what is printed must hold.
        let percent = self.upper_bound() * 100.0;
        let digits = if percent < 0.05 { 3 } else { 2 };
        let scale = 10_f64.powi(digits);
        let percent = (percent * scale).ceil() / scale;
        write!(
            formatter,
            "{} of {}: below {percent:.*} % with 95 % confidence",
            grouped(self.count),
            grouped(self.of),
            usize::try_from(digits).unwrap_or_default(),
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests are far below 2^52"
)]
const fn as_float(count: u64) -> f64 {
    count as f64
}

/// Writes a number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// 0 of n has a closed form, the others are tabulated (one-sided, 95 %).
    #[rstest]
    #[case(0, 10, 1.0 - 0.05_f64.powf(0.1))]
    #[case(0, 3000, 1.0 - 0.05_f64.powf(1.0 / 3000.0))]
    #[case(0, 1_000_000, 1.0 - 0.05_f64.powf(1.0 / 1_000_000.0))]
    #[case(1, 20, 0.216_106)]
    #[case(1, 10, 0.394_163)]
    #[case(2, 10, 0.506_901)]
    #[case(5, 10, 0.777_559)]
    #[case(9, 10, 0.994_884)]
    fn the_bound_is_the_one_in_the_tables(#[case] count: u64, #[case] of: u64, #[case] known: f64) {
        let bound = Share { count, of }.upper_bound();
        assert!((bound - known).abs() < 1e-6, "{bound} and {known}");
    }

    #[test]
    fn nothing_proves_nothing_and_all_exclude_nothing() {
        for (count, of) in [(0, 0), (7, 7), (9, 7)] {
            assert!((Share { count, of }.upper_bound() - 1.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn a_share_is_written_with_a_bound_that_is_not_rounded_down() {
        let share = |count, of| Share { count, of }.to_string();
        assert_eq!(
            share(0, 3000),
            "0 of 3,000: below 0.10 % with 95 % confidence"
        );
        assert_eq!(share(1, 20), "1 of 20: below 21.62 % with 95 % confidence");
        assert_eq!(
            share(0, 1_000_000),
            "0 of 1,000,000: below 0.001 % with 95 % confidence"
        );
    }

    proptest! {
        #[test]
        fn more_of_the_same_never_has_a_lower_bound_and_the_share_lies_below_it(count in 0_u64..400, more in 1_u64..400) {
            let of = count + more;
            let bound = Share { count, of }.upper_bound();
            prop_assert!(bound > as_float(count) / as_float(of));
            let of_one_more = Share { count: count + 1, of }.upper_bound();
            prop_assert!(of_one_more >= bound);
        }
    }
}
