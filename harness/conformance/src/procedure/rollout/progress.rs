//! How far the two streams of a rollout are.

use std::sync::atomic::{AtomicBool, Ordering};

/// Records of both streams that come before the first step, and again after the last one.
pub(super) const AROUND_STEPS: usize = 100;

/// The case that the benign requests belong to.
pub(super) const BENIGN: &str = "benign-stream";

/// The case that the attacks belong to.
pub(super) const ATTACK: &str = "attack-stream";

/// Tells by its id whether a request is one of the two streams.
pub(super) fn is_of_streams(id: &str) -> bool {
    let case = id.split('.').nth(1);
    case.is_some_and(|case| case == BENIGN || case == ATTACK)
}

/// How far the streams are, and whether they are to end.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) records: tokio::sync::watch::Sender<usize>,
    pub(super) is_over: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            records: tokio::sync::watch::Sender::new(0),
            is_over: AtomicBool::new(false),
        }
    }
}

impl Progress {
    /// Waits for so many records beyond those that have come.
    pub(super) async fn await_more(&self, more: usize) {
        let wanted = *self.records.borrow() + more;
        let mut records = self.records.subscribe();
        let _ = records.wait_for(|records| *records >= wanted).await;
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
