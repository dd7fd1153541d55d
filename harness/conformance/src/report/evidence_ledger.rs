//! How much evidence a scenario may keep: whole for the first few of a cause, in brief for the rest, and never more than the run's bound.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// For how many scenarios of one cause the evidence is kept whole.
pub const WHOLE_FOR_EACH_CAUSE: u32 = 3;
/// The most evidence of a run, in MiB, unless the user says otherwise.
pub const DEFAULT_LIMIT_MEBIBYTES: u64 = 64;

/// How much of a scenario's evidence is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Everything that is known.
    Whole,
    /// What was found and what happened, without logs and requests.
    Brief {
        /// Why, for whoever looks into the folder.
        because: String,
    },
}

/// Counts the evidence of a run.
#[derive(Debug)]
pub struct EvidenceLedger {
    limit_bytes: u64,
    written_bytes: AtomicU64,
    scenarios_by_cause: Mutex<HashMap<String, u32>>,
}

impl EvidenceLedger {
    /// Starts with nothing written.
    pub fn new(limit_mebibytes: u64) -> Self {
        Self {
            limit_bytes: limit_mebibytes.saturating_mul(1024 * 1024),
            written_bytes: AtomicU64::new(0),
            scenarios_by_cause: Mutex::default(),
        }
    }

    /// Returns how much a scenario keeps that did not pass for this cause, and counts it.
    pub fn extent_for(&self, cause: String) -> Extent {
        let mut scenarios = self
            .scenarios_by_cause
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = scenarios.entry(cause).or_default();
        *count += 1;
        if self.written_bytes.load(Ordering::Relaxed) >= self.limit_bytes {
            return Extent::Brief {
                because: format!(
                    "the run's evidence has reached its bound of {} MiB; `--evidence-limit` moves it",
                    self.limit_bytes / (1024 * 1024)
                ),
            };
        }
        if *count > WHOLE_FOR_EACH_CAUSE {
            return Extent::Brief {
                because: format!(
                    "{WHOLE_FOR_EACH_CAUSE} scenarios with the same finding have theirs whole; run this one alone for all of it"
                ),
            };
        }
        Extent::Whole
    }

    /// Counts bytes that were written.
    pub fn add(&self, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Default for EvidenceLedger {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT_MEBIBYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_scenarios_of_a_cause_keep_their_evidence_whole() {
        let ledger = EvidenceLedger::default();
        let extents: Vec<Extent> = (0..4).map(|_| ledger.extent_for("one".into())).collect();
        assert_eq!(extents[..3], [Extent::Whole, Extent::Whole, Extent::Whole]);
        assert!(matches!(extents[3], Extent::Brief { .. }));
        assert_eq!(ledger.extent_for("another".into()), Extent::Whole);
    }

    #[test]
    fn over_the_bound_all_evidence_is_brief() {
        let ledger = EvidenceLedger::new(1);
        ledger.add(1024 * 1024);
        assert!(matches!(
            ledger.extent_for("one".into()),
            Extent::Brief { .. }
        ));
    }
}
