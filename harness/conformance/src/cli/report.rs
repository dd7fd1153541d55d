//! `conformance report`: works on the reports of earlier runs.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Subcommand};

use super::error::CliError;
use super::report_file::{read_file, read_report};
use crate::report::evidence::Output;
use crate::report::evidence_ledger::EvidenceLedger;
use crate::report::files;
use crate::report::merge::{Part, merge};
use crate::report::terminal::say;
use crate::run::setup_error::SetupError;
use harness_core::redaction::Redactor;
use harness_core::stack::keys::AgentKeys;

/// Options of `report`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one report of those of several runs, which had a part of the scenarios each (`run --shard`). Ends as the worst of them did.
    Merge {
        /// The folder for the merged reports.
        #[arg(long, value_name = "DIR")]
        output: Utf8PathBuf,

        /// The `report.json` of each run.
        #[arg(value_name = "REPORT", required = true)]
        reports: Vec<Utf8PathBuf>,
    },
}

/// Carries the command out.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let Command::Merge { output, reports } = &arguments.command;
    let parts: Result<Vec<Part>, CliError> = reports.iter().map(|path| part(path)).collect();
    let (record, decisions) = merge(parts?)?;
    let keys = AgentKeys::from_environment().map_err(SetupError::from)?;
    let output = Output::new(
        output.clone(),
        Redactor::new(&keys),
        EvidenceLedger::default(),
    );
    let report = files::write_with(&output, &record, &decisions)?;
    let counts: Vec<String> = record
        .totals
        .results
        .iter()
        .map(|(result, count)| format!("{count} {result}"))
        .collect();
    say(format_args!(
        "{} of {} runs",
        counts.join(", "),
        reports.len()
    ))?;
    say(format_args!("report: {report}"))?;
    Ok(record.exit_code)
}

/// Reads a report and the decision record beside it.
fn part(report: &Utf8Path) -> Result<Part, CliError> {
    // Not through the link `latest`: the next run moves it, and evidence is named by this folder.
    let report = report.canonicalize_utf8().unwrap_or(report.into());
    let record = read_report(&report)?;
    let folder = report.parent().unwrap_or(Utf8Path::new("/"));
    let path = folder.join(files::DECISIONS);
    Ok(Part {
        folder: folder.into(),
        record,
        decisions: String::from_utf8_lossy(&read_file(&path)?).into_owned(),
    })
}
