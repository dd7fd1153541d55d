//! What a scenario's time is spent on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a scenario's time. Every moment belongs to exactly one.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The stack is put together, and Envoy checks its configuration.
    Preparing,
    /// The environment makes the pod.
    Creating,
    /// The pod's containers start and become ready.
    Starting,
    /// Attacks are sent until they are denied.
    Enforcing,
    /// Requests are sent and answered.
    Traffic,
    /// The witnesses have not recorded every request yet.
    Settling,
    /// What was seen is judged; and everything that no other phase names.
    Judging,
    /// The pod is deleted and ends.
    Ending,
    /// Evidence is captured.
    Evidence,
}

impl Phase {
    /// Returns the name as reports write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Creating => "creating",
            Self::Starting => "starting",
            Self::Enforcing => "enforcing",
            Self::Traffic => "traffic",
            Self::Settling => "settling",
            Self::Judging => "judging",
            Self::Ending => "ending",
            Self::Evidence => "evidence",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Adds a scenario's time up by phase.
#[derive(Debug)]
pub struct PhaseClock {
    state: Mutex<ClockState>,
}

#[derive(Debug)]
struct ClockState {
    current: Phase,
    since: Instant,
    spent: BTreeMap<Phase, Duration>,
}

/// Ends a phase when it is dropped.
#[derive(Debug)]
#[must_use = "a phase lasts as long as its guard"]
pub struct PhaseGuard<'a> {
    clock: &'a PhaseClock,
    outer: Phase,
}

impl Default for PhaseClock {
    fn default() -> Self {
        Self {
            state: Mutex::new(ClockState {
                current: Phase::Judging,
                since: Instant::now(),
                spent: BTreeMap::new(),
            }),
        }
    }
}

impl PhaseClock {
    /// Begins a phase. Inside another one it does not: the traffic by which enforcement is seen is part of that wait.
    pub fn enter(&self, phase: Phase) -> PhaseGuard<'_> {
        let mut state = self.state();
        let outer = state.current;
        if outer == Phase::Judging {
            state.switch(phase);
        }
        PhaseGuard { clock: self, outer }
    }

    /// Returns the time spent so far, in whole milliseconds.
    pub fn milliseconds(&self) -> BTreeMap<Phase, u64> {
        let mut state = self.state();
        let current = state.current;
        state.switch(current);
        state
            .spent
            .iter()
            .map(|(phase, spent)| {
                let spent = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX);
                (*phase, spent)
            })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockState {
    fn switch(&mut self, phase: Phase) {
        let now = Instant::now();
        if phase != self.current {
            tracing::debug!(%phase, "begins");
        }
        *self.spent.entry(self.current).or_default() += now.duration_since(self.since);
        self.since = now;
        self.current = phase;
    }
}

impl Drop for PhaseGuard<'_> {
    fn drop(&mut self) {
        self.clock.state().switch(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_lasts_until_its_guard_is_dropped_and_holds_what_it_contains() {
        let clock = PhaseClock::default();
        let outer = clock.enter(Phase::Enforcing);
        let inner = clock.enter(Phase::Traffic);
        assert_eq!(clock.state().current, Phase::Enforcing);
        drop(inner);
        assert_eq!(clock.state().current, Phase::Enforcing);
        drop(outer);
        assert_eq!(clock.state().current, Phase::Judging);
        drop(clock.enter(Phase::Traffic));
        let spent = clock.milliseconds();
        assert_eq!(
            spent.keys().copied().collect::<Vec<_>>(),
            [Phase::Enforcing, Phase::Traffic, Phase::Judging]
        );
    }
}
