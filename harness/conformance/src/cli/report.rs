//! `conformance report`: works on the reports of earlier runs.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::error::CliError;
use super::report_file::read_report;
use crate::report::evidence::Output;
use crate::report::evidence_ledger::EvidenceLedger;
use crate::report::files;
use crate::report::merge::merge;
use crate::report::terminal::say;
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
    let records: Result<Vec<_>, CliError> = reports.iter().map(|path| read_report(path)).collect();
    let record = merge(records?)?;
    let keys = AgentKeys::from_environment().map_err(crate::run::setup_error::SetupError::from)?;
    let output = Output::new(
        output.clone(),
        Redactor::new(&keys),
        EvidenceLedger::default(),
    );
    let report = files::write(&output, &record)?;
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
