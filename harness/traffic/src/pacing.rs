//! When requests are due, and what the wall clock said then.
//!
//! Open loop: request `n` is due at `n / rate` after the start, however late the ones before it
//! are. A driver that waited for answers would hide exactly the stalls that it is to measure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The lowest rate, in requests per second.
const LOWEST_RATE: f64 = 0.001;
/// The highest rate, in requests per second.
const HIGHEST_RATE: f64 = 100_000.0;

/// Requests per second, within bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(f64);

/// Why a number is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{per_second} requests per second is not between {LOWEST_RATE} and {HIGHEST_RATE}")]
pub(crate) struct RateError {
    per_second: f64,
}

impl Rate {
    /// Checks a rate.
    pub(crate) fn new(per_second: f64) -> Result<Self, RateError> {
        // Written so that a value that is not a number is refused, too.
        if !(LOWEST_RATE..=HIGHEST_RATE).contains(&per_second) {
            return Err(RateError { per_second });
        }
        Ok(Self(per_second))
    }

    /// Returns how long after the start request `number` is due.
    pub(crate) fn offset_of(self, number: u32) -> Duration {
        Duration::from_secs_f64(f64::from(number) / self.0)
    }
}

/// Ties the monotonic clock to the wall clock once, so that all stamps of a run agree with each
/// other even if the wall clock is set meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    instant: Instant,
    timestamp: Timestamp,
}

impl Clock {
    /// Reads both clocks.
    pub(crate) fn start() -> Self {
        Self {
            instant: Instant::now(),
            timestamp: Timestamp::now(),
        }
    }

    /// Returns the instant at which the clocks were read.
    pub(crate) fn started_at(&self) -> Instant {
        self.instant
    }

    /// Returns what the wall clock says at an instant after the start.
    pub(crate) fn timestamp_of(&self, instant: Instant) -> Timestamp {
        let since = instant.saturating_duration_since(self.instant);
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        self.timestamp
            .saturating_add(since)
            .unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn due_instants_do_not_drift() {
        let rate = Rate::new(3.0).expect("a rate");
        assert_eq!(rate.offset_of(0), Duration::ZERO);
        assert_eq!(rate.offset_of(3), Duration::from_secs(1));
        assert_eq!(rate.offset_of(3_000_000), Duration::from_secs(1_000_000));
    }

    #[rstest]
    #[case(0.0)]
    #[case(-1.0)]
    #[case(f64::NAN)]
    #[case(f64::INFINITY)]
    #[case(0.000_1)]
    fn a_number_out_of_bounds_is_not_a_rate(#[case] per_second: f64) {
        assert!(Rate::new(per_second).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_follows_the_monotonic_one() {
        let clock = Clock::start();
        let before = clock.timestamp_of(clock.started_at());
        tokio::time::advance(Duration::from_millis(1500)).await;
        let after = clock.timestamp_of(Instant::now());
        assert_eq!(after.duration_since(before).as_millis(), 1500);
    }
}
