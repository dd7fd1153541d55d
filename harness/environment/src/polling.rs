//! Waiting for what has to be polled.
//!
//! A time-out means that something was not there when the time was over. So a poll that begins after it is always owed: a process that
//! that was not scheduled while the time went by has seen nothing yet, and what it waits for may long be there.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A bounded number of polls: the first at once, the last after the time is over.
#[derive(Debug)]
pub struct Polling {
    deadline: Instant,
    every: Duration,
    next: Next,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    AtOnce,
    AfterAPause,
    Never,
}

impl Polling {
    /// Polls for so long, with a pause between two polls.
    pub fn within(budget: Duration, every: Duration) -> Self {
        Self {
            deadline: Instant::now() + budget,
            every,
            next: Next::AtOnce,
        }
    }

    /// Waits until the next poll is due; returns whether there is one.
    ///
    /// # Cancel safety
    ///
    /// A poll that is not waited for to the end stays due.
    pub async fn next(&mut self) -> bool {
        match self.next {
            Next::Never => return false,
            Next::AtOnce => {}
            Next::AfterAPause => sleep(self.every).await,
        }
        self.next = if Instant::now() >= self.deadline {
            Next::Never
        } else {
            Next::AfterAPause
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_secs(1);
    const EVERY: Duration = Duration::from_millis(400);

    /// Returns when each poll began.
    async fn polls(mut poll: impl AsyncFnMut()) -> Vec<Duration> {
        let start = Instant::now();
        let mut polling = Polling::within(BUDGET, EVERY);
        let mut began = Vec::new();
        while polling.next().await {
            began.push(start.elapsed());
            poll().await;
        }
        began
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_poll_is_the_first_after_the_time() {
        let began = polls(async || ()).await;
        let milliseconds: Vec<_> = began.iter().map(Duration::as_millis).collect();
        assert_eq!(milliseconds, [0, 400, 800, 1200]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_poll_that_outlasts_the_time_is_followed_by_another() {
        let mut pause = Some(10 * BUDGET);
        let began = polls(async || sleep(pause.take().unwrap_or_default()).await).await;
        let milliseconds: Vec<_> = began.iter().map(Duration::as_millis).collect();
        assert_eq!(milliseconds, [0, 10_400]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_time_there_is_one_poll() {
        let mut polling = Polling::within(Duration::ZERO, EVERY);
        assert!(polling.next().await);
        assert!(!polling.next().await);
    }
}
