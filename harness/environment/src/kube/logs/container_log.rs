//! What one container has written, all its starts in order, and what is known to be missing of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The most that is kept of one container, in bytes.
const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// What stands at the end where there was more.
const CUT_OFF: &[u8] = b"\n[conformance: the log goes on; the first 64 MiB are kept]\n";
/// A log whose last piece is no older than this when its following is given up was still being written.
const STILL_WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// What one container has written so far.
#[derive(Debug, Default)]
pub(in crate::kube) struct ContainerLog {
    bytes: Mutex<Vec<u8>>,
    state: Mutex<ReadingState>,
}

/// How the reading of a log goes.
#[derive(Debug, Default)]
struct ReadingState {
    /// What is known to be missing.
    gap: Option<String>,
    /// Why the stream broke off that was to be read to its end.
    broken: Option<String>,
    /// When a piece came last.
    last_piece: Option<Instant>,
    /// The instance that is read, or was last, and where its log begins in what is kept.
    instance: Option<(String, u64)>,
}

impl ReadingState {
    fn is_still_written(&self) -> bool {
        self.last_piece
            .is_some_and(|at| at.elapsed() < STILL_WRITTEN_WITHIN)
    }
}

impl ContainerLog {
    /// Returns why something of it is known to be missing. A log that has not been ended, and one that a kubelet rotates, are whole.
    pub(in crate::kube) fn gap(&self) -> Option<String> {
        self.state().gap.clone()
    }

    /// Returns where the log of an instance begins, where that one was the last to be read.
    pub(in crate::kube) fn beginning_of(&self, instance: &str) -> Option<u64> {
        let state = self.state();
        let (_, begins_at) = state.instance.as_ref().filter(|(id, _)| id == instance)?;
        Some(*begins_at)
    }

    /// Begins with the log of an instance; returns where that is.
    pub(in crate::kube) fn begin_instance(&self, instance: &str) -> usize {
        let begins_at = self.lock().len();
        self.state().instance = Some((instance.to_owned(), begins_at as u64));
        begins_at
    }

    /// Returns whether a piece came a moment ago.
    pub(in crate::kube) fn is_still_written(&self) -> bool {
        self.state().is_still_written()
    }

    /// Takes in that its following is given up. Where the stream is open and silent nothing is known to be missing.
    pub(in crate::kube) fn give_up(&self) {
        let mut state = self.state();
        let written = state.is_still_written();
        let reason = match state.broken.take() {
            Some(reason) => Some(format!(
                "it broke off and was not read to its end: {reason}"
            )),
            None => written.then(|| "its pod has ended, and it was still being read".into()),
        };
        state.gap = state.gap.take().or(reason);
    }

    /// Takes in how the stream ended that was to be read to its end: why it broke off, where it did.
    pub(super) fn stream_ended(&self, why_broken: Option<&String>) {
        self.state().broken = why_broken.cloned();
    }

    /// Takes in that no more is to be read until the next instance comes.
    pub(super) fn has_read_instance(&self) {
        let mut state = self.state();
        state.broken = None;
        state.last_piece = None;
    }

    /// Takes in that the rest of an instance's log cannot be had any more.
    pub(super) fn lose_the_rest(&self, reason: &str) {
        self.state().gap.get_or_insert_with(|| {
            format!("an instance's log broke off and cannot be read any more: {reason}")
        });
    }

    fn state(&self) -> MutexGuard<'_, ReadingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all of it.
    pub(in crate::kube) fn all(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Returns what lies beyond the first `offset` bytes, at most `limit` bytes of it.
    pub(in crate::kube) fn beyond(&self, offset: u64, limit: usize) -> Vec<u8> {
        let bytes = self.lock();
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(limit).min(bytes.len());
        bytes[start..end].to_vec()
    }

    /// Returns whether these bytes stand at this offset from `begins_at`, as far as so much is kept.
    pub(in crate::kube) fn has(&self, begins_at: usize, offset: u64, piece: &[u8]) -> bool {
        let bytes = self.lock();
        let start =
            usize::try_from(offset).map_or(usize::MAX, |offset| begins_at.saturating_add(offset));
        let kept = bytes.len().min(KEPT_BYTES);
        let end = start.saturating_add(piece.len()).min(kept);
        start >= end || bytes[start..end] == piece[..end - start]
    }

    pub(in crate::kube) fn append(&self, piece: &[u8]) {
        let mut bytes = self.lock();
        if bytes.len() >= KEPT_BYTES {
            return;
        }
        let room = KEPT_BYTES - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            bytes.extend_from_slice(CUT_OFF);
        }
        let mut state = self.state();
        state.last_piece = Some(Instant::now());
        if piece.len() > room {
            state
                .gap
                .get_or_insert_with(|| "only its first 64 MiB are kept".into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_by_offset() {
        let log = ContainerLog::default();
        log.append(b"abcdef");
        assert_eq!(log.beyond(2, 3), b"cde");
        assert_eq!(log.beyond(6, 3), b"");
        assert_eq!(log.beyond(60, 3), b"");
        assert_eq!(log.all(), b"abcdef");
    }

    #[test]
    fn the_log_of_the_next_instance_is_distinguished_from_what_was_taken_over() {
        let log = ContainerLog::default();
        log.append(b"first\nsecond");
        assert!(log.has(6, 0, b"sec"));
        assert!(log.has(6, 3, b"ond"));
        assert!(!log.has(6, 0, b"thi"));
        assert!(log.has(6, 6, b"what is not kept yet"));
        assert!(log.has(0, u64::MAX, b"x"));
    }

    #[test]
    fn a_log_without_end_is_cut_off_and_says_so() {
        let log = ContainerLog::default();
        let piece = vec![b'x'; KEPT_BYTES / 2 + 1];
        for _ in 0..3 {
            log.append(&piece);
        }
        let all = log.all();
        assert_eq!(all.len(), KEPT_BYTES + CUT_OFF.len());
        assert!(all.ends_with(CUT_OFF));
        assert!(log.gap().is_some_and(|gap| gap.contains("64 MiB")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_given_up_lacks_something_only_where_that_is_known() {
        let silent = ContainerLog::default();
        silent.append(b"last lines");
        tokio::time::sleep(STILL_WRITTEN_WITHIN).await;
        silent.give_up();
        assert_eq!(silent.gap(), None);

        let written = ContainerLog::default();
        written.append(b"on and on");
        written.give_up();
        assert!(written.gap().is_some());

        let broken = ContainerLog::default();
        broken.stream_ended(Some(&"connection reset".into()));
        broken.give_up();
        assert!(
            broken
                .gap()
                .is_some_and(|gap| gap.contains("connection reset"))
        );
    }

    #[test]
    fn the_first_gap_is_the_one_that_is_reported() {
        let log = ContainerLog::default();
        assert_eq!(log.gap(), None);
        log.lose_the_rest("first");
        log.lose_the_rest("second");
        assert!(log.gap().is_some_and(|gap| gap.ends_with("first")));
    }
}
