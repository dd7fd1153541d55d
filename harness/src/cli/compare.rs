//! `conformance compare`: holds the timelines of two runs against each other, scenario by scenario.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::report_file::read_report;
use crate::report::agreement::{Compared, compare_runs};
use crate::report::terminal::say;
use crate::run::exit_code;

/// Options of `compare`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The `report.json` of one run, as of `local`.
    #[arg(value_name = "REPORT")]
    first: Utf8PathBuf,

    /// The `report.json` of the other run, as of a cluster.
    #[arg(value_name = "REPORT")]
    second: Utf8PathBuf,
}

/// Compares and prints; ends with 1 where the runs differ.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let first = read_report(&arguments.first)?;
    let second = read_report(&arguments.second)?;
    let pairs = compare_runs(&first.scenarios, &second.scenarios);
    let (mut compared, mut differing) = (0, 0);
    for (name, outcome) in &pairs {
        match outcome {
            Compared::Agree => compared += 1,
            Compared::Differ(differences) => {
                compared += 1;
                differing += 1;
                say(name)?;
                for difference in differences {
                    say(format_args!("  {difference}"))?;
                }
            }
            Compared::Errored(reason) | Compared::Not(reason) => {
                say(format_args!("{name}: not compared: {reason}"))?;
            }
        }
    }
    say(format_args!(
        "{compared} scenarios compared, {} against {}: {differing} differ",
        first.environment.name, second.environment.name
    ))?;
    Ok(match (compared, differing) {
        (0, _) => exit_code::NOTHING_SELECTED,
        (_, 0) => exit_code::PASSED,
        (_, _) => exit_code::FAILED,
    })
}
