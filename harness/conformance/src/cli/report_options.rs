//! Options of `run` and `replay` for the reports of a pipeline: summary, annotations, events. Opened before a run, closed after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use jiff::Timestamp;

use super::error::CliError;
use crate::report::event::Event;
use crate::report::event_log::{EventLog, EventObserver, EventsTarget};
use crate::report::record::RunRecord;
use crate::report::terminal::{remark, say};
use crate::report::workflow_commands::Suspension;
use crate::report::{annotations, markdown};
use crate::run::exit_code::Ending;
use crate::run::setup::RunSetup;
use crate::run::{RunObserver, record_of};

/// Which reports a pipeline gets.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct ReportOptions {
    /// Write a summary in Markdown to FILE. Default: append it to `$GITHUB_STEP_SUMMARY`, where that is set.
    #[arg(long, value_name = "FILE")]
    summary: Option<Utf8PathBuf>,

    /// Write what happens to FILE, a JSON object a line (`conformance schema events`); `-` is standard output, and
    /// everything else goes to standard error then.
    #[arg(long, value_name = "FILE|-")]
    events: Option<EventsTarget>,
}

/// The reports of a pipeline while a run goes on.
#[derive(Debug)]
pub(super) struct OpenReports {
    summary: Option<SummaryFile>,
    events: Option<Arc<EventLog>>,
    /// There where GitHub Actions reads the output, which it annotates.
    suspension: Option<Suspension>,
}

/// Where the summary goes.
#[derive(Debug)]
struct SummaryFile {
    path: Utf8PathBuf,
    file: File,
    asked_for_by: AskedForBy,
}

/// Who wants a summary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AskedForBy {
    /// `--summary`: where it cannot be written, the command fails.
    User,
    /// `$GITHUB_STEP_SUMMARY`: where it cannot be written, the verdict stands.
    Pipeline,
}

impl ReportOptions {
    /// Opens what is asked for, before anything else is started or written.
    pub(super) fn open(&self) -> Result<OpenReports, CliError> {
        let events = self.events.as_ref().map(open_events).transpose()?;
        let summary = self.open_summary()?;
        let is_github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        Ok(OpenReports {
            summary,
            events: events.map(Arc::new),
            suspension: is_github.then(Suspension::begin),
        })
    }

    fn open_summary(&self) -> Result<Option<SummaryFile>, CliError> {
        let of_step = path_in("GITHUB_STEP_SUMMARY");
        let (path, asked_for_by) = match (&self.summary, &of_step) {
            (Some(path), _) => (path, AskedForBy::User),
            (None, Some(path)) => (path, AskedForBy::Pipeline),
            (None, None) => return Ok(None),
        };
        // A step's file may have what the step has written before, by whatever option it is named.
        let opened = if of_step.as_ref() == Some(path) {
            OpenOptions::new().create(true).append(true).open(path)
        } else {
            File::create(path)
        };
        match (opened, asked_for_by) {
            (Ok(file), _) => Ok(Some(SummaryFile {
                path: path.clone(),
                file,
                asked_for_by,
            })),
            (Err(source), AskedForBy::User) => Err(CliError::UnwritableReport {
                option: "--summary",
                path: path.clone(),
                source,
            }),
            (Err(error), AskedForBy::Pipeline) => {
                no_summary(path, &error);
                Ok(None)
            }
        }
    }
}

fn open_events(target: &EventsTarget) -> Result<EventLog, CliError> {
    EventLog::open(target).map_err(|source| CliError::UnwritableReport {
        option: "--events",
        path: match target {
            EventsTarget::StandardOutput => "-".into(),
            EventsTarget::File(path) => path.clone(),
        },
        source,
    })
}

impl OpenReports {
    /// Says that the run begins, and returns an observer that passes on what it hears.
    pub(super) fn observe(
        &self,
        setup: &RunSetup,
        scenarios: usize,
        next: Arc<dyn RunObserver>,
    ) -> Arc<dyn RunObserver> {
        let Some(log) = &self.events else {
            return next;
        };
        let record = record_of(setup, Timestamp::now(), Vec::new(), Ending::Complete);
        log.write(Event::run_started(&record, scenarios), &setup.output);
        Arc::new(EventObserver {
            log: log.clone(),
            output: setup.output.clone(),
            next,
        })
    }

    /// Writes what is made at the end of a run, of which the command ends with `exit_code`. `report` is the path of `report.json`.
    pub(super) fn finish(
        self,
        setup: &RunSetup,
        record: &RunRecord,
        report: &Utf8Path,
        exit_code: u8,
    ) -> Result<(), CliError> {
        if let Some(log) = &self.events {
            let event = Event::run_finished(record, exit_code, report.as_str());
            log.write(event, &setup.output);
            log.finish();
        }
        if let Some(suspension) = self.suspension {
            drop(suspension);
            let workspace = path_in("GITHUB_WORKSPACE");
            for line in annotations::render(record, workspace.as_deref()) {
                // A reader that is gone reads no annotations.
                drop(say(setup.output.redact(&line)));
            }
        }
        match self.summary {
            Some(summary) => summary.write(&setup.output.redact(&markdown::render(record))),
            None => Ok(()),
        }
    }
}

impl SummaryFile {
    fn write(mut self, text: &str) -> Result<(), CliError> {
        match (self.file.write_all(text.as_bytes()), self.asked_for_by) {
            (Ok(()), _) => Ok(()),
            (Err(source), AskedForBy::User) => Err(CliError::UnwrittenReport {
                path: self.path,
                source,
            }),
            (Err(error), AskedForBy::Pipeline) => {
                no_summary(&self.path, &error);
                Ok(())
            }
        }
    }
}

fn no_summary(path: &Utf8Path, error: &io::Error) {
    remark(format_args!("no summary is written to {path}: {error}"));
}

/// Returns the path in a variable of the environment that is set and not empty.
fn path_in(variable: &str) -> Option<Utf8PathBuf> {
    let path = std::env::var(variable).ok()?;
    (!path.is_empty()).then(|| path.into())
}
