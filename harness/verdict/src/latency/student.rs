//! By how many standard errors an interval reaches to either side.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// The confidence of the intervals that are reported.
pub(super) const REPORTED: f64 = 0.95;
/// The confidence that a verdict needs: of 100 comparisons of a program with itself at most one may end in a difference, in either direction.
pub(super) const OF_A_VERDICT: f64 = 0.99;

/// Returns the two-sided quantile of Student's t distribution; infinite without a degree of freedom.
pub(super) fn reach(degrees_of_freedom: usize, confidence: f64) -> f64 {
    let degrees = f64::from(u32::try_from(degrees_of_freedom).unwrap_or(u32::MAX));
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::INFINITY, |distribution| {
        distribution.inverse_cdf(0.5 + confidence / 2.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (degrees, quantile) in [
            (1, 12.706),
            (2, 4.303),
            (5, 2.571),
            (30, 2.042),
            (120, 1.980),
        ] {
            let observed = reach(degrees, REPORTED);
            assert!((observed - quantile).abs() < 0.001, "{degrees}: {observed}");
        }
        assert!(reach(0, REPORTED).is_infinite());
        assert!((reach(9, OF_A_VERDICT) - 3.250).abs() < 0.001);
    }
}
