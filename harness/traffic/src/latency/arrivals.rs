//! When each request is due, and to which arm it goes.

use std::time::Duration;

use harness_core::corpus::random::Random;

use super::plan::Arrivals;

/// Draws one request after another.
#[derive(Debug)]
pub(super) struct Schedule {
    random: Random,
    arrivals: Arrivals,
    mean_nanoseconds: f64,
    due_nanoseconds: f64,
    order: Vec<u8>,
    next: usize,
}

/// A request of the schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Due {
    /// Since the schedule's beginning.
    pub(super) after: Duration,
    /// Which arm it goes to.
    pub(super) arm: u8,
}

impl Schedule {
    /// Begins the schedule that belongs to a seed.
    pub(super) fn new(arms: u8, per_second: u32, arrivals: Arrivals, seed: u64) -> Self {
        Self {
            random: Random::new(seed, "arrivals"),
            arrivals,
            mean_nanoseconds: 1e9 / f64::from(per_second.max(1)),
            due_nanoseconds: 0.0,
            order: (0..arms).collect(),
            next: usize::MAX,
        }
    }

    /// Returns the next request. Each arm gets one of every so many: in another order each time, so that no arm always follows the same other.
    pub(super) fn next(&mut self) -> Due {
        if self.next >= self.order.len() {
            self.random.shuffle(&mut self.order);
            self.next = 0;
        }
        let arm = self.order[self.next];
        self.next += 1;
        let due = Due {
            after: Duration::from_nanos(whole(self.due_nanoseconds)),
            arm,
        };
        self.due_nanoseconds += match self.arrivals {
            Arrivals::Constant => self.mean_nanoseconds,
            Arrivals::Poisson => -self.mean_nanoseconds * self.random.open_fraction().ln(),
        };
        due
    }
}

/// Returns the whole nanoseconds of a moment; a schedule has far fewer than 2⁵³ of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a moment is neither negative nor beyond 2^53"
)]
fn whole(nanoseconds: f64) -> u64 {
    nanoseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_take_turns_and_the_rate_is_kept() {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let mut schedule = Schedule::new(4, 1000, arrivals, 7);
            let all: Vec<Due> = (0..40_000).map(|_| schedule.next()).collect();
            for block in all.chunks(4) {
                let mut arms: Vec<u8> = block.iter().map(|due| due.arm).collect();
                arms.sort_unstable();
                assert_eq!(arms, [0, 1, 2, 3]);
            }
            let last = all[all.len() - 1].after.as_secs_f64();
            assert!((39.0..41.0).contains(&last), "{arrivals:?}: {last}");
            assert!(all.is_sorted_by_key(|due| due.after));
        }
    }

    #[test]
    fn poisson_distances_vary_as_much_as_their_mean() {
        let mut schedule = Schedule::new(1, 1000, Arrivals::Poisson, 3);
        let moments: Vec<f64> = (0..20_000)
            .map(|_| schedule.next().after.as_secs_f64())
            .collect();
        let gaps: Vec<f64> = moments
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) * 1e3)
            .collect();
        let mean = gaps.iter().sum::<f64>() / 19_999.0;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 19_999.0;
        assert!((0.95..1.05).contains(&mean), "{mean}");
        assert!((0.9..1.1).contains(&variance), "{variance}");
    }
}
