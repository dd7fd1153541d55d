//! How often each scenario passed, where the same ones were run several times.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::record::RunRecord;
use super::summary::scenarios;

/// Draws the counts: in a line what always came out the same, and a line for each scenario that did not.
pub fn render(records: &[RunRecord]) -> String {
    let mut results: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for scenario in records.iter().flat_map(|record| &record.scenarios) {
        let counts = results.entry(scenario.name.as_str()).or_default();
        *counts.entry(scenario.result.as_str()).or_default() += 1;
    }
    let (same, other): (Vec<_>, Vec<_>) = results.iter().partition(|(_, counts)| counts.len() == 1);
    let mut always: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, counts) in same {
        for result in counts.keys() {
            *always.entry(result).or_default() += 1;
        }
    }
    let always: Vec<String> = always
        .into_iter()
        .map(|(result, count)| format!("{} always {result}", scenarios(count)))
        .collect();
    let mut text = format!("in {} rounds: {}", records.len(), always.join(", "));
    for (name, counts) in other {
        let counts: Vec<String> = counts
            .iter()
            .map(|(result, count)| format!("{result} {count} of {}", records.len()))
            .collect();
        let _ = write!(text, "\n  {name}: {}", counts.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_records::{failed, finding, passed, record};
    use harness_core::model::finding_kind::FindingKind;

    #[test]
    fn what_differs_between_rounds_is_named_with_its_counts() {
        let wrong = || finding(FindingKind::AccessLog, "a", "b");
        let rounds = [
            record(vec![passed("a::one"), passed("a::two")]),
            record(vec![passed("a::one"), failed("a::two", vec![wrong()])]),
            record(vec![passed("a::one"), passed("a::two")]),
        ];
        assert_eq!(
            render(&rounds),
            "in 3 rounds: 1 scenario always passed\n  a::two: failed 1 of 3, passed 2 of 3"
        );
    }
}
