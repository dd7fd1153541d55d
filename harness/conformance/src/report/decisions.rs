//! The decision record: what was decided upon each case, without anything that differs from run to run.
//!
//! Two runs of the same files with the same agent have the same decision record, byte for byte; `diff` shows what changed between two agents.

use std::fmt::Write as _;

use super::record::ScenarioRecord;

/// The columns of the record.
const COLUMNS: &str = "scenario\tcase\toutcome\tstatus\tsignals\trequests\n";

/// Makes one decision record of those of several runs that had different scenarios.
pub fn merge<'a>(records: impl IntoIterator<Item = &'a str>) -> String {
    let records = records.into_iter();
    let mut lines: Vec<&str> = records.flat_map(|record| record.lines().skip(1)).collect();
    // Within a scenario the lines are in the order of their decisions already.
    lines.sort_by_key(|line| line.split('\t').next());
    let mut text = COLUMNS.to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Writes the decision record of a run: tab-separated, sorted, one line for each different decision of a case.
pub fn render(scenarios: &[ScenarioRecord]) -> String {
    let mut sorted: Vec<&ScenarioRecord> = scenarios.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut text = COLUMNS.to_owned();
    for scenario in sorted {
        for (decision, requests) in &scenario.decisions {
            let status = decision
                .status
                .map_or_else(|| "none".to_owned(), |status| status.to_string());
            let signals: Vec<String> = decision
                .signals
                .iter()
                .map(|signal| signal.escape_debug().to_string())
                .collect();
            let _ = writeln!(
                text,
                "{}\t{}\t{}\t{status}\t{}\t{requests}",
                scenario.name,
                decision.case,
                decision.outcome,
                signals.join(","),
            );
        }
    }
    text
}
