//! How one agent behaves: as it should, or as one mutant does. Whatever can be done wrongly asks here.
//!
//! The questions stand in the files of the families. An agent without a mutant gets back what it asked with.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::mutant::memory::Remembered;
use crate::mutant::named::Mutant;

/// How one agent behaves; all copies share what a mutant remembers.
#[derive(Clone, Debug, Default)]
pub struct FaultHooks {
    mutant: Option<Mutant>,
    state: Arc<MutantState>,
}

/// What mutants remember; empty in an agent that is none.
#[derive(Debug, Default)]
pub(super) struct MutantState {
    /// The checks so far.
    pub(super) checks: AtomicU64,
    /// The lines, entries or probes so far.
    pub(super) others: AtomicU64,
    /// The checks or streams under way.
    pub(super) under_way: AtomicUsize,
    /// Notified when the agent is to stop.
    pub(super) stopping: Notify,
    /// What earlier requests left.
    pub(super) remembered: Mutex<Remembered>,
    /// What is never given back.
    pub(super) leaked: Mutex<Leaked>,
}

/// What is never given back.
#[derive(Debug, Default)]
pub(super) struct Leaked {
    pub(super) memory: Vec<Vec<u8>>,
    pub(super) sockets: Vec<UdpSocket>,
}

impl FaultHooks {
    /// Behaves as this mutant, or as an agent should.
    pub fn of(mutant: Option<Mutant>) -> Self {
        Self {
            mutant,
            state: Arc::default(),
        }
    }

    pub(super) fn mutant(&self) -> Option<Mutant> {
        self.mutant
    }

    pub(super) fn state(&self) -> &MutantState {
        &self.state
    }
}

impl MutantState {
    /// Counts one and returns its number, from one.
    pub(super) fn next(counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn remembered(&self) -> MutexGuard<'_, Remembered> {
        lock(&self.remembered)
    }

    pub(super) fn leaked(&self) -> MutexGuard<'_, Leaked> {
        lock(&self.leaked)
    }
}

pub(super) fn lock<Content>(mutex: &Mutex<Content>) -> MutexGuard<'_, Content> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
