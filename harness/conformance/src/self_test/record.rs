//! What a self-test came to: its file, its lines on a console, its exit code.

use std::fmt::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use owo_colors::{OwoColorize, Style};
use serde::Serialize;

use super::verdict::{Escape, HowEscaped, MutantStatus, MutantVerdict};
use crate::run::exit_code;
use harness_core::model::diagnostic::Colour;

/// The name of the file.
const FILE: &str = "self-test.json";

/// What came of one mutant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MutantRecord {
    /// The mutant.
    pub name: String,
    /// Which scenarios killed it and which did not.
    pub verdict: MutantVerdict,
    /// How long its run took, in milliseconds.
    pub elapsed_milliseconds: u64,
    /// The `report.json` of its run; none where the run could not begin.
    pub report: Option<Utf8PathBuf>,
}

/// What a self-test came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SelfTestRecord {
    /// Its mutants, by name.
    pub mutants: Vec<MutantRecord>,
    /// Mutants of the agent that no entry below `mutants/` is for.
    pub without_an_entry: Vec<String>,
    /// How long it took, in milliseconds.
    pub elapsed_milliseconds: u64,
}

impl SelfTestRecord {
    /// Returns the exit code: passed only where every mutant was killed by the scenarios that are named for it and that the environment
    /// can run, and there were some.
    pub fn exit_code(&self) -> u8 {
        let let_pass =
            self.count(MutantStatus::KilledByAnother) + self.count(MutantStatus::Survived);
        if let_pass > 0 || !self.without_an_entry.is_empty() {
            exit_code::FAILED
        } else if self.count(MutantStatus::NotProven) > 0 {
            exit_code::ERRORED
        } else if self.count(MutantStatus::Killed) == 0 {
            exit_code::NOTHING_SELECTED
        } else {
            exit_code::PASSED
        }
    }

    /// Writes the file and returns its path.
    pub fn write(&self, folder: &Utf8Path) -> Result<Utf8PathBuf, std::io::Error> {
        let path = folder.join(FILE);
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        fs_err::write(&path, text)?;
        Ok(path)
    }

    fn count(&self, status: MutantStatus) -> usize {
        self.mutants
            .iter()
            .filter(|mutant| mutant.verdict.status() == status)
            .count()
    }
}

/// Renders the line of a mutant whose run has ended, with a line for each scenario that it escaped.
pub fn line_of(mutant: &MutantRecord, colour: Colour) -> String {
    let (word, style) = match mutant.verdict.status() {
        MutantStatus::Killed => ("killed", Style::new().green()),
        MutantStatus::KilledByAnother => ("ESCAPED", Style::new().red().bold()),
        MutantStatus::Survived => ("SURVIVED", Style::new().red().bold()),
        MutantStatus::NotProven => ("UNPROVEN", Style::new().yellow().bold()),
        MutantStatus::NotHere => ("not here", Style::new().dimmed()),
    };
    let word = format!("{word:>9}");
    let mut line = format!(
        "{} {:>6.2} s  {}",
        paint(&word, style, colour),
        Duration::from_millis(mutant.elapsed_milliseconds).as_secs_f64(),
        mutant.name
    );
    if !mutant.verdict.killed_by.is_empty() {
        let _ = write!(line, " by {}", mutant.verdict.killed_by.join(", "));
    }
    if !mutant.verdict.also_by.is_empty() {
        let _ = write!(line, " (and {})", mutant.verdict.also_by.join(", "));
    }
    if !mutant.verdict.not_here.is_empty() {
        let scenarios = mutant.verdict.not_here.join(", ");
        let _ = write!(line, " (unsupported here: {scenarios})");
    }
    for escape in &mutant.verdict.escapes {
        let _ = write!(line, "\n{:>21}{}", "", describe(escape));
    }
    if !mutant.verdict.escapes.is_empty()
        && let Some(report) = &mutant.report
    {
        let _ = write!(line, "\n{:>21}report: {report}", "");
    }
    line
}

/// Renders the totals, and once more what escaped.
pub fn summary(record: &SelfTestRecord, colour: Colour) -> String {
    let killed = record.count(MutantStatus::Killed);
    let style = match record.exit_code() {
        exit_code::PASSED => Style::new().green().bold(),
        _ => Style::new().red().bold(),
    };
    let mut counts = format!(
        "{} mutants: {killed} killed by the scenarios that are named for them, {} by others only, {} survived",
        record.mutants.len(),
        record.count(MutantStatus::KilledByAnother),
        record.count(MutantStatus::Survived)
    );
    for (status, words) in [
        (
            MutantStatus::NotProven,
            "unproven because a scenario errored",
        ),
        (
            MutantStatus::NotHere,
            "for scenarios that are unsupported here",
        ),
    ] {
        match record.count(status) {
            0 => {}
            count => {
                let _ = write!(counts, ", {count} {words}");
            }
        }
    }
    let mut text = format!(
        "{} in {:.1} s",
        paint(&counts, style, colour),
        Duration::from_millis(record.elapsed_milliseconds).as_secs_f64()
    );
    for mutant in &record.mutants {
        for escape in &mutant.verdict.escapes {
            let _ = write!(text, "\nescaped: {}: {}", mutant.name, describe(escape));
        }
    }
    for name in &record.without_an_entry {
        let _ = write!(
            text,
            "\nescaped: {name}: the agent lists it, and no entry below `mutants/` is for it"
        );
    }
    text
}

fn describe(escape: &Escape) -> String {
    let scenario = &escape.scenario;
    match &escape.how {
        HowEscaped::NoSuchScenario => format!("no scenario has the id {scenario}"),
        HowEscaped::Passed => format!("{scenario} passed"),
        HowEscaped::NotRun { why } => format!("{scenario} came to no end: {}", why.join(": ")),
        HowEscaped::OtherReason { wanted, found } => format!(
            "{scenario} failed, and has no finding `{wanted}`; the first is `{}`",
            found.escape_debug()
        ),
    }
}

fn paint(text: &str, style: Style, colour: Colour) -> String {
    match colour {
        Colour::Ansi => text.style(style).to_string(),
        Colour::Plain => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: MutantVerdict, without_an_entry: Vec<String>) -> SelfTestRecord {
        SelfTestRecord {
            mutants: vec![MutantRecord {
                name: "ignores-body".into(),
                verdict,
                elapsed_milliseconds: 1,
                report: None,
            }],
            without_an_entry,
            elapsed_milliseconds: 1,
        }
    }

    fn killed() -> MutantVerdict {
        MutantVerdict {
            killed_by: vec!["B01".into()],
            ..MutantVerdict::default()
        }
    }

    fn escaped(how: HowEscaped) -> MutantVerdict {
        MutantVerdict {
            escapes: vec![Escape {
                scenario: "B02-partial".into(),
                how,
            }],
            ..killed()
        }
    }

    #[test]
    fn one_scenario_of_two_is_not_enough() {
        let record = record(escaped(HowEscaped::NoSuchScenario), Vec::new());
        assert_eq!(record.exit_code(), exit_code::FAILED);
        let text = summary(&record, Colour::Plain);
        assert!(
            text.contains("escaped: ignores-body: no scenario has the id B02-partial"),
            "{text}"
        );
    }

    #[test]
    fn a_scenario_that_came_to_no_end_is_an_error_and_no_escape() {
        let why = vec!["no disk".to_owned()];
        let record = record(escaped(HowEscaped::NotRun { why }), Vec::new());
        assert_eq!(record.exit_code(), exit_code::ERRORED);
        assert!(summary(&record, Colour::Plain).contains("1 unproven"));
    }

    #[test]
    fn a_mutant_without_an_entry_is_an_escape() {
        let record = record(killed(), vec!["leaks-memory".into()]);
        assert_eq!(record.exit_code(), exit_code::FAILED);
        assert!(summary(&record, Colour::Plain).contains("escaped: leaks-memory"));
    }

    #[test]
    fn all_killed_by_those_that_are_named_is_a_pass_and_none_is_not() {
        assert_eq!(record(killed(), Vec::new()).exit_code(), exit_code::PASSED);
        let elsewhere = MutantVerdict {
            not_here: vec!["R11".into()],
            ..MutantVerdict::default()
        };
        let code = record(elsewhere, Vec::new()).exit_code();
        assert_eq!(code, exit_code::NOTHING_SELECTED);
    }
}
