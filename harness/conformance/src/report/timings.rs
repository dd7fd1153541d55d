//! What the scenarios' time was spent on, as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::record::ScenarioRecord;
use harness_core::model::phase::Phase;

/// How many of the slowest scenarios are named.
const SLOWEST_SHOWN: usize = 10;
/// The shortest part of a scenario that is named, in milliseconds.
const SHORTEST_NAMED_MILLISECONDS: u64 = 50;

/// Draws the sums by phase and the slowest scenarios.
pub fn render(scenarios: &[ScenarioRecord], jobs: usize) -> String {
    let mut sums: BTreeMap<Phase, u64> = BTreeMap::new();
    for scenario in scenarios {
        for (phase, milliseconds) in &scenario.phases {
            *sums.entry(*phase).or_default() += milliseconds;
        }
    }
    let total: u64 = sums.values().sum();
    let mut text = format!(
        "\ntime by phase, summed over {} scenarios, {jobs} at a time:",
        scenarios.len()
    );
    for (phase, milliseconds) in by_time(&sums) {
        let hundredths = milliseconds * 100 / total.max(1);
        let _ = write!(
            text,
            "\n  {phase:<10} {:>8} s {hundredths:>3} %",
            seconds(milliseconds)
        );
    }
    let mut slowest: Vec<&ScenarioRecord> = scenarios.iter().collect();
    slowest.sort_by_key(|scenario| std::cmp::Reverse(scenario.elapsed_milliseconds));
    let _ = write!(text, "\nslowest:");
    for scenario in slowest.into_iter().take(SLOWEST_SHOWN) {
        let parts: Vec<String> = by_time(&scenario.phases)
            .into_iter()
            .filter(|(_, milliseconds)| *milliseconds >= SHORTEST_NAMED_MILLISECONDS)
            .map(|(phase, milliseconds)| format!("{phase} {}", seconds(milliseconds)))
            .collect();
        let _ = write!(
            text,
            "\n  {:>6} s  {}: {}",
            seconds(scenario.elapsed_milliseconds),
            scenario.name,
            parts.join(", ")
        );
    }
    text
}

/// Returns the phases, the longest first.
fn by_time(phases: &BTreeMap<Phase, u64>) -> Vec<(Phase, u64)> {
    let mut sorted: Vec<(Phase, u64)> = phases
        .iter()
        .map(|(phase, milliseconds)| (*phase, *milliseconds))
        .collect();
    sorted.sort_by_key(|(_, milliseconds)| std::cmp::Reverse(*milliseconds));
    sorted
}

/// Writes milliseconds as seconds with two decimals.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02}", milliseconds / 1000, milliseconds % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_as_seconds() {
        assert_eq!(seconds(12_345), "12.34");
        assert_eq!(seconds(5), "0.00");
        assert_eq!(seconds(70), "0.07");
    }
}
