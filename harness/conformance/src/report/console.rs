//! The report on a terminal: progress while the run goes on, then what failed and where.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::{OwoColorize, Style};

use super::record::{RunRecord, ScenarioRecord};
use super::subjects::judged;
use super::summary::{self, not_passed, scenarios};
use super::terminal::{remark, say};
use super::untrusted::harmless;
use crate::catalogue::scenario::Scenario;
use harness_core::model::diagnostic::{Colour, Diagnostic};
use harness_core::model::finding::{Finding, ScenarioResult, describe_missing};
use harness_core::model::finding_kind::FindingKind;
use harness_verdict::judge::bound::PROVEN;
use harness_verdict::judge::lifecycle::render as render_timeline;

/// Up to how many scenarios that did not pass are drawn in full; where there are more, their causes are listed alone.
const DRAWN_IN_FULL: usize = 3;
/// How many findings of one scenario are drawn; the rest is counted.
const FINDINGS_SHOWN: usize = 4;

/// Whether a progress bar is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressDisplay {
    /// A bar on standard error.
    Bar,
    /// No bar: a line for each scenario only.
    Plain,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verbosity {
    /// What did not pass, and the totals.
    Quiet,
    /// A line for each scenario besides.
    Usual,
    /// What each scenario's time was spent on, what happened to its pods, and every finding in full besides.
    Verbose,
}

/// Draws a run as it goes on.
#[derive(Debug)]
pub struct Console {
    verbosity: Verbosity,
    bar: ProgressBar,
    progress: ProgressDisplay,
    colour: Colour,
}

impl Console {
    /// Starts with nothing drawn.
    pub fn new(progress: ProgressDisplay, verbosity: Verbosity, colour: Colour) -> Self {
        let bar = match progress {
            ProgressDisplay::Bar => {
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
            }
            ProgressDisplay::Plain => ProgressBar::hidden(),
        };
        Self {
            verbosity,
            bar,
            progress,
            colour,
        }
    }

    /// Says what is being prepared.
    pub fn preparing(&self, what: &str) {
        match self.progress {
            ProgressDisplay::Bar => self.bar.set_message(what.to_owned()),
            ProgressDisplay::Plain if self.verbosity == Verbosity::Quiet => {}
            ProgressDisplay::Plain => remark(what),
        }
    }

    /// Draws the beginning of the scenarios.
    pub fn started(&self, count: usize, jobs: usize) {
        self.bar.set_length(count as u64);
        if let Ok(style) =
            ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {pos}/{len} {wide_msg}")
        {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.enable_steady_tick(Duration::from_millis(200));
        let jobs = jobs.min(count);
        self.preparing(&format!("running {}, {jobs} at a time", scenarios(count)));
    }

    /// Says which scenarios are under way.
    pub fn under_way(&self, names: &[String]) {
        if self.progress == ProgressDisplay::Bar {
            self.bar.set_message(names.join(" "));
        }
    }

    /// Draws the line of a scenario that ended.
    pub fn finished(&self, scenario: &ScenarioRecord) {
        let did_not_pass = matches!(
            scenario.result,
            ScenarioResult::Failed(_) | ScenarioResult::Errored(_)
        );
        let line = match self.verbosity {
            Verbosity::Quiet => did_not_pass.then(|| self.line(scenario)),
            Verbosity::Usual => Some(self.line(scenario)),
            Verbosity::Verbose => Some(format!("{}{}", self.line(scenario), timeline_of(scenario))),
        };
        if let Some(line) = line {
            // A reader that is gone does not stop the run; its reports are files.
            self.bar.suspend(|| drop(say(line)));
        }
        self.bar.inc(1);
    }

    /// Draws what did not pass, and the totals.
    pub fn summary(&self, record: &RunRecord, scenarios: &[Arc<Scenario>], report: &Utf8Path) {
        self.bar.finish_and_clear();
        let in_full = self.verbosity == Verbosity::Verbose || not_passed(record) <= DRAWN_IN_FULL;
        for result in record.scenarios.iter().filter(|_| in_full) {
            let scenario = scenarios
                .iter()
                .find(|scenario| scenario.name == result.name);
            let folder = report.parent().unwrap_or(Utf8Path::new("."));
            if let Some(text) = details(
                result,
                scenario.map(|scenario| &**scenario),
                folder,
                self.colour,
            ) {
                drop(say(format_args!("\n{text}")));
            }
        }
        for finding in &record.findings {
            drop(say(format_args!("\n{}", of_the_run(finding))));
        }
        if let Some(causes) = summary::render(record, report) {
            drop(say(format_args!("\n{causes}")));
        }
        drop(say(format_args!("\n{}", self.totals(record))));
        for (what, judged) in judged(record).pairs() {
            drop(say(format_args!("{what}: {judged}")));
        }
        drop(say(format_args!("report: {report}")));
    }

    fn line(&self, scenario: &ScenarioRecord) -> String {
        let (word, style) = match &scenario.result {
            ScenarioResult::Passed => ("passed", Style::new().green()),
            ScenarioResult::Failed(_) => ("FAILED", Style::new().red().bold()),
            ScenarioResult::Errored(_) => ("ERRORED", Style::new().magenta().bold()),
            ScenarioResult::Unsupported { .. } => ("unsupported", Style::new().yellow()),
            ScenarioResult::Excluded { .. } => ("excluded", Style::new().dimmed()),
        };
        let requests: u64 = scenario.reconciliation.outcomes.values().sum();
        let word = format!("{word:>11}");
        let mut line = format!(
            "{} {:>6.2} s  {} ({})",
            self.paint(&word, style),
            Duration::from_millis(scenario.elapsed_milliseconds).as_secs_f64(),
            scenario.name,
            scenario.id,
        );
        if requests > 0 {
            let _ = write!(line, " {requests} requests");
        }
        for (name, explanation) in &scenario.observations {
            if name.starts_with(FindingKind::Lint.as_str())
                && scenario.result == ScenarioResult::Passed
            {
                let _ = write!(
                    line,
                    "\n{:>22}found as expected: {}",
                    "",
                    escape(explanation)
                );
            }
        }
        for (name, share) in &scenario.observations {
            if let Some(what) = name.strip_prefix(PROVEN) {
                let _ = write!(line, "\n{:>22}{}: {}", "", what.trim(), escape(share));
            }
        }
        match &scenario.result {
            ScenarioResult::Unsupported { missing, reasons } => {
                let _ = write!(line, ": needs {}", describe_missing(missing, reasons));
            }
            ScenarioResult::Excluded { reason } => {
                let _ = write!(line, ": {reason}");
            }
            ScenarioResult::Passed | ScenarioResult::Failed(_) | ScenarioResult::Errored(_) => {}
        }
        line
    }

    fn totals(&self, record: &RunRecord) -> String {
        let totals = &record.totals;
        let mut text = String::new();
        let counts: Vec<String> = ["passed", "failed", "errored", "unsupported", "excluded"]
            .into_iter()
            .map(|word| (word, totals.count(word)))
            .filter(|(word, count)| *count > 0 || *word == "passed" || *word == "failed")
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let good = totals.count("failed") + totals.count("errored") == 0;
        let style = if good {
            Style::new().green().bold()
        } else {
            Style::new().red().bold()
        };
        let elapsed = record.finished_at.duration_since(record.started_at);
        let _ = write!(
            text,
            "{} in {:.1} s",
            self.paint(&counts.join(", "), style),
            elapsed.as_secs_f64(),
        );
        let outcomes: Vec<String> = totals
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect();
        if totals.requests > 0 {
            let _ = write!(
                text,
                "\n{} requests judged: {}",
                totals.requests,
                outcomes.join(", ")
            );
        }
        if !totals.calls.is_empty() {
            let calls: Vec<String> = totals
                .calls
                .iter()
                .map(|(outcome, count)| format!("{count} {outcome}"))
                .collect();
            let _ = write!(
                text,
                "\n{} calls to the agent judged: {}",
                totals.calls.values().sum::<u64>(),
                calls.join(", ")
            );
        }
        text
    }

    fn paint(&self, text: &str, style: Style) -> String {
        match self.colour {
            Colour::Ansi => text.style(style).to_string(),
            Colour::Plain => text.to_owned(),
        }
    }
}

fn of_the_run(finding: &Finding) -> String {
    let mut text = format!(
        "the run as a whole failed: {}",
        escape(&finding.to_string())
    );
    for note in &finding.notes {
        let _ = write!(text, "\n   - {}", escape(note));
    }
    text
}

/// Says what a scenario's time was spent on and what happened to its pods, a line each.
fn timeline_of(scenario: &ScenarioRecord) -> String {
    let mut text = String::new();
    for (phase, milliseconds) in &scenario.phases {
        let seconds = Duration::from_millis(*milliseconds).as_secs_f64();
        let _ = write!(text, "\n{:>22}{phase:<10} {seconds:>7.3} s", "");
    }
    let pods = scenario
        .pods
        .iter()
        .map(|pod| (pod.name.as_str(), &pod.timeline));
    for (pod, timeline) in std::iter::once(("", &scenario.timeline)).chain(pods) {
        for line in render_timeline(timeline, None).lines() {
            let _ = write!(text, "\n{:>22}{pod} {}", "", escape(line));
        }
    }
    text
}

/// Renders why a scenario did not pass; none when it did. `folder` is the run's.
pub fn details(
    record: &ScenarioRecord,
    scenario: Option<&Scenario>,
    folder: &Utf8Path,
    colour: Colour,
) -> Option<String> {
    let mut text = match &record.result {
        ScenarioResult::Failed(findings) => {
            let mut parts: Vec<String> = findings
                .iter()
                .take(FINDINGS_SHOWN)
                .map(|finding| render_finding(finding, record, scenario, colour))
                .collect();
            if findings.len() > FINDINGS_SHOWN {
                parts.push(format!(
                    "{} more findings of this scenario are in its evidence folder",
                    findings.len() - FINDINGS_SHOWN
                ));
            }
            format!(
                "{} failed: {}\n{}",
                record.name,
                record.summary,
                parts.join("\n")
            )
        }
        ScenarioResult::Errored(fault) => {
            let mut text = format!(
                "{} could not be judged: {}",
                record.name,
                escape(&fault.causes.join("\n  caused by: "))
            );
            for hint in &fault.hints {
                let _ = write!(text, "\nhint: {}", escape(hint));
            }
            text
        }
        ScenarioResult::Passed
        | ScenarioResult::Unsupported { .. }
        | ScenarioResult::Excluded { .. } => return None,
    };
    if let Some(evidence) = &record.evidence {
        let _ = write!(text, "\nevidence: {}", folder.join(evidence));
    }
    Some(text)
}

fn render_finding(
    finding: &Finding,
    record: &ScenarioRecord,
    scenario: Option<&Scenario>,
    colour: Colour,
) -> String {
    let diagnostic = Diagnostic {
        file: record.file.clone(),
        text: scenario
            .map(|scenario| scenario.text.as_str())
            .unwrap_or_default()
            .into(),
        position: finding.position,
        message: escape(&finding.to_string()),
        label: format!("observed {}", escape(&finding.observed.to_string())),
        hint: None,
    };
    let mut text = diagnostic.render(colour);
    if let Some(written) = &finding.written {
        let place = format!("{}:{}", written.file, written.position.line);
        let _ = write!(text, "\n   - the request is written at {}", escape(&place));
    }
    for note in &finding.notes {
        let _ = write!(text, "\n   - {}", escape(note));
    }
    if let Some(request) = &finding.request {
        let _ = write!(text, "\n   - request {}", escape(request.as_str()));
    }
    text
}

/// Makes text from the wire safe for a terminal: long text is cut, and its further lines are indented, so that none can pass for one of
/// the report's own.
fn escape(text: &str) -> String {
    const LIMIT: usize = 2_000;
    let mut kept: String = text.chars().take(LIMIT).collect();
    if text.chars().nth(LIMIT).is_some() {
        kept.push('…');
    }
    harmless(&kept).replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_from_the_wire_do_not_reach_the_terminal() {
        let shown = escape("a\u{1b}[31mred\u{7}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("\\u{1b}[31mred"), "{shown}");
    }

    #[test]
    fn a_line_from_the_wire_cannot_pass_for_one_of_the_report() {
        assert_eq!(escape("x\n9 passed, 0 failed"), "x\n    9 passed, 0 failed");
    }

    #[test]
    fn endless_text_is_cut() {
        assert!(escape(&"x".repeat(10_000)).chars().count() < 2_100);
    }
}
