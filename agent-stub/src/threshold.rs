//! Thresholds: addresses that send enough attack signals are flagged, and flagged addresses are blocked when they send more.
//!
//! The request that reaches the threshold is still let through; those after it are not. The table is bounded: when it is full,
//! the address that was quiet for longest is evicted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Threshold;

/// Counts attack signals by address.
#[derive(Debug)]
pub struct Thresholds {
    threshold: Threshold,
    senders: Mutex<HashMap<String, Sender>>,
}

/// How an address stood when its request arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It had reached the threshold.
    Flagged,
    /// It had not, or that was too long ago.
    Unflagged,
}

#[derive(Debug)]
struct Sender {
    // Signals by the time from which on they were counted; neighbours share an entry.
    counts: VecDeque<(Instant, u32)>,
    flagged_until: Option<Instant>,
    last_seen: Instant,
}

impl Thresholds {
    /// Starts with no address counted.
    pub fn new(threshold: Threshold) -> Self {
        Self {
            threshold,
            senders: Mutex::default(),
        }
    }

    /// Returns how an address stands and counts the attack signals of its request, of which there is one at least.
    pub fn count(&self, address: &str, signals: u32) -> Standing {
        let now = Instant::now();
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if !senders.contains_key(address) && senders.len() >= MOST_SENDERS {
            evict(&mut senders);
        }
        let sender = senders.entry(address.into()).or_insert_with(|| Sender {
            counts: VecDeque::new(),
            flagged_until: None,
            last_seen: now,
        });
        sender.count(now, signals, &self.threshold)
    }
}

impl Sender {
    fn count(&mut self, now: Instant, signals: u32, threshold: &Threshold) -> Standing {
        self.last_seen = now;
        match self.flagged_until {
            Some(end) if now < end => return Standing::Flagged,
            Some(_) => {
                // What led to the flag is forgotten with it.
                self.flagged_until = None;
                self.counts.clear();
            }
            None => {}
        }
        while self
            .counts
            .front()
            .is_some_and(|(since, _)| now.duration_since(*since) >= threshold.interval)
        {
            self.counts.pop_front();
        }
        let grain = threshold.interval / GRAINS;
        match self.counts.back_mut() {
            Some((since, count)) if now.duration_since(*since) < grain => *count += signals,
            Some(_) | None => self.counts.push_back((now, signals)),
        }
        let total: u32 = self.counts.iter().map(|(_, count)| count).sum();
        if total >= threshold.signals {
            self.flagged_until = Some(now + threshold.flag_duration.min(LONGEST_FLAG));
        }
        Standing::Unflagged
    }
}

fn evict(senders: &mut HashMap<String, Sender>) {
    // A share of the table at a time, so that a stream of new addresses does not scan all of it each time.
    let mut ages: Vec<Instant> = senders.values().map(|sender| sender.last_seen).collect();
    let share = ages.len() / EVICTED_SHARE;
    let (_, newest_to_go, _) = ages.select_nth_unstable(share);
    let newest_to_go = *newest_to_go;
    senders.retain(|_, sender| sender.last_seen > newest_to_go);
}

const MOST_SENDERS: usize = 16_384;
const EVICTED_SHARE: usize = 8;
const GRAINS: u32 = 32;
const LONGEST_FLAG: Duration = Duration::from_hours(366 * 24);

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Flagged, Unflagged};

    fn thresholds(signals: u32) -> Thresholds {
        Thresholds::new(Threshold {
            signals,
            interval: Duration::from_mins(1),
            flag_duration: Duration::from_hours(24),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_request_after_the_one_that_reaches_the_threshold_finds_its_sender_flagged() {
        let thresholds = thresholds(3);
        let standings = [(); 5].map(|()| thresholds.count("a", 1));
        assert_eq!(
            standings,
            [Unflagged, Unflagged, Unflagged, Flagged, Flagged]
        );
        assert_eq!(thresholds.count("b", 1), Unflagged);
    }

    #[tokio::test(start_paused = true)]
    async fn signals_of_one_request_count_together() {
        let thresholds = thresholds(3);
        assert_eq!(thresholds.count("a", 3), Unflagged);
        assert_eq!(thresholds.count("a", 1), Flagged);
    }

    #[tokio::test(start_paused = true)]
    async fn signals_older_than_the_interval_do_not_count() {
        let thresholds = thresholds(3);
        thresholds.count("a", 2);
        tokio::time::advance(Duration::from_mins(1)).await;
        thresholds.count("a", 1);
        assert_eq!(thresholds.count("a", 1), Unflagged);
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(thresholds.count("a", 1), Unflagged, "the third in a minute");
        assert_eq!(thresholds.count("a", 1), Flagged);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flag_expires_and_the_count_begins_anew() {
        let thresholds = thresholds(2);
        thresholds.count("a", 2);
        tokio::time::advance(Duration::from_secs(24 * 3600 - 1)).await;
        assert_eq!(thresholds.count("a", 1), Flagged);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(thresholds.count("a", 1), Unflagged);
        assert_eq!(thresholds.count("a", 1), Unflagged);
        assert_eq!(thresholds.count("a", 1), Flagged);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_table_forgets_whoever_was_quiet_for_longest() {
        let thresholds = thresholds(1);
        thresholds.count("quiet", 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        thresholds.count("busy", 1);
        for number in 0..MOST_SENDERS {
            tokio::time::advance(Duration::from_millis(1)).await;
            thresholds.count("busy", 1);
            thresholds.count(&number.to_string(), 1);
        }
        let known = thresholds.senders.lock().expect("no panic").len();
        assert!(known <= MOST_SENDERS, "{known}");
        assert_eq!(thresholds.count("busy", 1), Flagged);
        assert_eq!(thresholds.count("quiet", 1), Unflagged);
    }
}
