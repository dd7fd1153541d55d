//! The summary of a run in Markdown, as a pipeline shows it on the page of a job: verdict, what was judged, totals, causes.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::causes::{FaultGroup, FindingGroup, faults_by_cause, findings_by_cause};
use super::markdown_text::{block, code};
use super::record::{RunRecord, ScenarioRecord};
use super::subjects::judged;
use crate::run::exit_code::{self, EndingSignal};
use harness_core::model::finding::{Finding, ScenarioResult, describe_missing};
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::kubelet::Kubelet;

/// The most bytes of a summary: GitHub refuses one of more than 1 MiB, and a step may write two.
const SIZE_LIMIT: usize = 512 * 1024;
/// What the note about what was left out may take of it, in bytes.
const NOTE_SIZE: usize = 512;
/// How many scenarios of one cause are named.
const SCENARIOS_SHOWN: usize = 20;
/// How many notes of a finding are shown.
const NOTES_SHOWN: usize = 8;
/// How many reasons for unsupported scenarios, and how many warnings, are listed.
const LINES_SHOWN: usize = 100;

/// Makes the summary of a run.
pub fn render(record: &RunRecord) -> String {
    let mut summary = Summary::default();
    summary.add(&head(record));
    summary.add(&totals(record));
    let findings = findings_by_cause(record);
    if !record.findings.is_empty() || !findings.is_empty() {
        summary.add("\n### What failed, by cause\n");
    }
    for finding in &record.findings {
        summary.add(&of_the_run(finding));
    }
    for group in &findings {
        summary.add(&failure(group));
    }
    let faults = faults_by_cause(record);
    if !faults.is_empty() {
        summary.add("\n### What could not be judged, by cause\n");
    }
    for group in &faults {
        summary.add(&fault(group));
    }
    summary.add(&warnings(record));
    summary.add(&unsupported(record));
    summary.finish()
}

/// A text of parts that are taken whole or left out, so that no part can break another's markup.
#[derive(Default)]
struct Summary {
    text: String,
    left_out: usize,
}

impl Summary {
    fn add(&mut self, part: &str) {
        if self.text.len() + part.len() + NOTE_SIZE > SIZE_LIMIT {
            self.left_out += 1;
        } else {
            self.text.push_str(part);
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let _ = writeln!(
                self.text,
                "\n{} parts of this summary were left out, since it would be too long: `report.json` has everything.",
                self.left_out
            );
        }
        self.text
    }
}

fn head(record: &RunRecord) -> String {
    let verdict = match record.exit_code {
        exit_code::PASSED => "passed",
        exit_code::FAILED => "failed",
        exit_code::NOTHING_SELECTED => "nothing was judged",
        code if EndingSignal::ALL
            .iter()
            .any(|signal| signal.exit_code() == code) =>
        {
            "interrupted, incomplete"
        }
        exit_code::INTERNAL => "a bug in the harness",
        _ => "could not be judged",
    };
    let elapsed = record.finished_at.duration_since(record.started_at);
    let mut text = format!(
        "## Conformance: {verdict}\n\nRun `{}`, {:.1} s, exit code {}. Judged were:\n\n",
        record.run,
        elapsed.as_secs_f64(),
        record.exit_code
    );
    for (name, what) in judged(record).pairs() {
        let _ = writeln!(text, "- {name}: {}", code(&what));
    }
    text
}

fn totals(record: &RunRecord) -> String {
    let mut text = String::from("\n| scenarios | |\n| --- | ---: |\n");
    for word in ["passed", "failed", "errored", "unsupported", "excluded"] {
        let _ = writeln!(text, "| {word} | {} |", record.totals.count(word));
    }
    if !record.totals.outcomes.is_empty() {
        text.push_str("\n| requests | |\n| --- | ---: |\n");
        for (outcome, count) in &record.totals.outcomes {
            let _ = writeln!(text, "| {outcome} | {count} |");
        }
    }
    if !record.totals.calls.is_empty() {
        text.push_str("\n| calls to the agent | |\n| --- | ---: |\n");
        for (outcome, count) in &record.totals.calls {
            let _ = writeln!(text, "| {outcome} | {count} |");
        }
    }
    text
}

fn of_the_run(finding: &Finding) -> String {
    format!(
        "\n#### {}: the run as a whole ({})\n\n{}{}",
        finding.kind,
        finding.severity,
        expected_and_observed(finding),
        notes(finding, "")
    )
}

fn failure(group: &FindingGroup<'_>) -> String {
    let Some((_, first)) = group.scenarios.first() else {
        return String::new();
    };
    let mut text = format!(
        "\n#### {}: {} ({})\n\n{}{} {}\n\n",
        group.kind,
        counted(group.number_of_scenarios()),
        group.severity,
        expected_and_observed(first),
        group.kind.meaning(),
        group.kind.next_step()
    );
    for (scenario, findings) in by_scenario(group).into_iter().take(SCENARIOS_SHOWN) {
        let Some(first) = findings.first() else {
            continue;
        };
        let _ = write!(text, "- {}", named(scenario, first.position.line));
        if let Some(case) = &first.case {
            let _ = write!(text, ", case {}", code(case));
        }
        if let Some(written) = &first.written {
            let place = format!("{}:{}", written.file, written.position.line);
            let _ = write!(text, " of {}", code(&place));
        }
        if findings.len() > 1 {
            let _ = write!(text, ", and {} more findings", findings.len() - 1);
        }
        if let Some(evidence) = &scenario.evidence {
            let _ = write!(text, ", evidence in {}", code(evidence.as_str()));
        }
        text.push('\n');
        text.push_str(&notes(first, "  "));
    }
    text.push_str(&rest(group.number_of_scenarios()));
    text
}

/// Collects the findings of each scenario, in the order of the group.
fn by_scenario<'a>(group: &FindingGroup<'a>) -> Vec<(&'a ScenarioRecord, Vec<&'a Finding>)> {
    let mut collected: Vec<(&ScenarioRecord, Vec<&Finding>)> = Vec::new();
    for (scenario, finding) in &group.scenarios {
        match collected.last_mut() {
            Some((last, findings)) if last.name == scenario.name => findings.push(finding),
            Some(_) | None => collected.push((scenario, vec![finding])),
        }
    }
    collected
}

fn fault(group: &FaultGroup<'_>) -> String {
    let Some((_, first)) = group.scenarios.first() else {
        return String::new();
    };
    let mut text = format!(
        "\n#### {}: {}\n{}\n",
        code(group.cause),
        counted(group.scenarios.len()),
        block(&first.causes.join("\ncaused by: "))
    );
    for hint in &first.hints {
        let _ = writeln!(text, "hint: {}\n", code(hint));
    }
    for (scenario, _) in group.scenarios.iter().take(SCENARIOS_SHOWN) {
        let _ = writeln!(text, "- {}", named(scenario, 0));
    }
    text.push_str(&rest(group.scenarios.len()));
    text
}

fn expected_and_observed(finding: &Finding) -> String {
    format!(
        "Expected {}, observed {}.\n\n",
        code(&finding.expected.to_string()),
        code(&finding.observed.to_string())
    )
}

fn notes(finding: &Finding, indent: &str) -> String {
    let shown = finding.notes.iter().take(NOTES_SHOWN);
    let mut text = String::new();
    for note in shown {
        let _ = writeln!(text, "{indent}- {}", code(note));
    }
    if finding.notes.len() > NOTES_SHOWN {
        let more = finding.notes.len() - NOTES_SHOWN;
        let _ = writeln!(text, "{indent}- {more} more notes");
    }
    text
}

/// Names a scenario and the line of its file; line 0 is none.
fn named(scenario: &ScenarioRecord, line: u64) -> String {
    let place = match line {
        0 => scenario.file.to_string(),
        line => format!("{}:{line}", scenario.file),
    };
    format!(
        "{} ({}), {}",
        code(scenario.name.as_str()),
        code(&scenario.id),
        code(&place)
    )
}

fn rest(scenarios: usize) -> String {
    match scenarios.saturating_sub(SCENARIOS_SHOWN) {
        0 => String::new(),
        more => format!("- and {more} more scenarios\n"),
    }
}

fn counted(scenarios: usize) -> String {
    match scenarios {
        1 => "1 scenario".into(),
        several => format!("{several} scenarios"),
    }
}

fn warnings(record: &RunRecord) -> String {
    let mut warnings = Vec::new();
    if judged(record).is_about_the_reference_stub() {
        warnings.push(
            "The agent is the reference stub: the verdict says nothing about any WAF.".into(),
        );
    }
    match record.environment.kubelet {
        Kubelet::Real => {}
        Kubelet::Rehearsed => warnings.push(
            "The kubelet was rehearsed: the run does not count towards a qualification.".into(),
        ),
    }
    if record.options.slow_down > 1 {
        let factor = record.options.slow_down;
        warnings.push(format!("Every bound was multiplied by {factor}."));
    }
    for scenario in &record.scenarios {
        for (name, explanation) in &scenario.observations {
            let is_expected = scenario.result == ScenarioResult::Passed
                && name.starts_with(FindingKind::Lint.as_str());
            if is_expected {
                warnings.push(format!(
                    "{} found as expected: {}",
                    code(scenario.name.as_str()),
                    code(explanation)
                ));
            }
        }
    }
    if warnings.is_empty() {
        return String::new();
    }
    list("\n### Warnings\n\n", &warnings)
}

/// Lists what could not be run here by what is missing, folded.
fn unsupported(record: &RunRecord) -> String {
    let mut by_reason: BTreeMap<String, Vec<&ScenarioRecord>> = BTreeMap::new();
    for scenario in &record.scenarios {
        let reason = match &scenario.result {
            ScenarioResult::Unsupported { missing, reasons } => {
                format!("needs {}", describe_missing(missing, reasons))
            }
            ScenarioResult::Excluded { reason } => format!("excluded: {reason}"),
            ScenarioResult::Passed | ScenarioResult::Failed(_) | ScenarioResult::Errored(_) => {
                continue;
            }
        };
        by_reason.entry(reason).or_default().push(scenario);
    }
    let scenarios: usize = by_reason.values().map(Vec::len).sum();
    if scenarios == 0 {
        return String::new();
    }
    let lines: Vec<String> = by_reason
        .iter()
        .map(|(reason, scenarios)| {
            let shown = scenarios.iter().take(SCENARIOS_SHOWN);
            let names: Vec<String> = shown.map(|scenario| code(scenario.name.as_str())).collect();
            let more = match scenarios.len().saturating_sub(SCENARIOS_SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{}: {}{more}", code(reason), names.join(", "))
        })
        .collect();
    let opening = format!(
        "\n<details><summary>{} not run, and why</summary>\n\n",
        counted(scenarios)
    );
    format!("{}\n</details>\n", list(&opening, &lines))
}

fn list(opening: &str, lines: &[String]) -> String {
    let shown = lines.iter().take(LINES_SHOWN);
    let mut text = String::from(opening);
    for line in shown {
        let _ = writeln!(text, "- {line}");
    }
    if lines.len() > LINES_SHOWN {
        let more = lines.len() - LINES_SHOWN;
        let _ = writeln!(text, "- and {more} more");
    }
    text
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
