//! The kubelet's restart back-off: the first restart at once, then 10 s, 20 s, … up to 5 minutes.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_DELAY: Duration = Duration::from_secs(10);
const LONGEST_DELAY: Duration = Duration::from_mins(5);

/// How long a container must run on after its last start for its earlier failures to be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// One container's back-off.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    delay: Duration,
    last_start: Instant,
}

impl BackOff {
    /// Returns how long a container that ended just now must wait for its next start.
    pub(super) fn next(&mut self, ended_at: Instant) -> Duration {
        let delay = match &self.pending {
            Some(pending)
                if ended_at.saturating_duration_since(pending.last_start) <= FORGOTTEN_AFTER =>
            {
                pending.delay
            }
            Some(_) | None => Duration::ZERO,
        };
        let following = (delay * 2).clamp(FIRST_DELAY, LONGEST_DELAY);
        self.pending = Some(Pending {
            delay: following,
            last_start: ended_at + delay,
        });
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_ten_seconds_to_five_minutes() {
        let mut back_off = BackOff::default();
        let mut now = Instant::now();
        let delays: Vec<u64> = (0..8)
            .map(|_| {
                let delay = back_off.next(now);
                now += delay + Duration::from_secs(1);
                delay.as_secs()
            })
            .collect();
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn ten_quiet_minutes_reset_the_delay() {
        let mut back_off = BackOff::default();
        let start = Instant::now();
        assert_eq!(back_off.next(start), Duration::ZERO);
        assert_eq!(
            back_off.next(start + Duration::from_mins(10)),
            Duration::from_secs(10)
        );
        assert_eq!(
            back_off.next(start + Duration::from_secs(600 + 10 + 601)),
            Duration::ZERO
        );
    }
}
