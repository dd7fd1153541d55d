//! What a run has seen of enforcement so far: an agent that enforces nowhere is not waited for in full in every scenario.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness_core::model::finding::{Finding, ScenarioResult};
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::phase::Phase;
use harness_core::model::timeouts::Timeouts;
use harness_core::model::timespan::TimeSpan;

/// After so many scenarios in which it was not seen, and none in which it was, the wait is shortened.
const MISSED: usize = 3;
/// How long enforcement is then waited for.
const SHORTENED: Duration = Duration::from_secs(5);

/// What a run has seen of enforcement so far.
#[derive(Debug, Default)]
pub struct EnforcementSeen {
    seen: AtomicUsize,
    missed: AtomicUsize,
}

impl EnforcementSeen {
    /// Takes a scenario's result in.
    pub fn note(&self, result: &ScenarioResult, phases: &BTreeMap<Phase, u64>) {
        let has_waited = phases.contains_key(&Phase::Enforcing);
        match result {
            ScenarioResult::Failed(findings) if findings.iter().any(is_missed) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
            }
            ScenarioResult::Passed | ScenarioResult::Failed(_) if has_waited => {
                self.seen.fetch_add(1, Ordering::Relaxed);
            }
            ScenarioResult::Passed
            | ScenarioResult::Failed(_)
            | ScenarioResult::Errored(_)
            | ScenarioResult::Unsupported { .. }
            | ScenarioResult::Excluded { .. } => {}
        }
    }

    /// Returns the bounds for the next scenario.
    pub fn bounds(&self, usual: &Timeouts) -> Timeouts {
        let is_never_seen =
            self.seen.load(Ordering::Relaxed) == 0 && self.missed.load(Ordering::Relaxed) >= MISSED;
        if is_never_seen {
            let shortened = usual.enforcing.min(TimeSpan::new(SHORTENED));
            usual.enforcing_within(shortened)
        } else {
            usual.clone()
        }
    }
}

fn is_missed(finding: &Finding) -> bool {
    finding.kind == FindingKind::NotEnforcing
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_core::model::located::Position;

    fn missed() -> ScenarioResult {
        ScenarioResult::Failed(vec![Finding::new(
            FindingKind::NotEnforcing,
            Position::default(),
            "plain attacks are denied",
            "none was",
        )])
    }

    #[test]
    fn an_agent_that_enforces_nowhere_is_waited_for_in_full_three_times() {
        let seen = EnforcementSeen::default();
        let usual = Timeouts::default();
        for _ in 0..MISSED {
            assert_eq!(seen.bounds(&usual).enforcing, usual.enforcing);
            seen.note(&missed(), &BTreeMap::from([(Phase::Enforcing, 60_000)]));
        }
        assert_eq!(seen.bounds(&usual).enforcing, TimeSpan::new(SHORTENED));
    }

    #[test]
    fn one_that_was_seen_to_enforce_once_has_its_time_in_every_scenario() {
        let seen = EnforcementSeen::default();
        let usual = Timeouts::default();
        let waited = BTreeMap::from([(Phase::Enforcing, 30_000)]);
        seen.note(&ScenarioResult::Passed, &waited);
        for _ in 0..2 * MISSED {
            seen.note(&missed(), &waited);
        }
        assert_eq!(seen.bounds(&usual).enforcing, usual.enforcing);
    }
}
