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

/// Compares and prints; ends with 1 where the runs differ, and with 3 where one of them has errored scenarios.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let first = read_report(&arguments.first)?;
    let second = read_report(&arguments.second)?;
    let pairs = compare_runs(&first.scenarios, &second.scenarios);
    let (mut compared, mut differing, mut errored) = (0_usize, 0_usize, 0_usize);
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
            Compared::Errored(reason) => {
                errored += 1;
                say(format_args!("{name}: not compared: {reason}"))?;
            }
            Compared::Not(reason) => say(format_args!("{name}: not compared: {reason}"))?,
        }
    }
    say(format_args!(
        "{compared} of {} scenarios compared, {} against {}: {differing} differ",
        pairs.len(),
        first.environment.name,
        second.environment.name
    ))?;
    Ok(match (differing, errored, compared) {
        (1.., _, _) => exit_code::FAILED,
        (0, 1.., _) => exit_code::ERRORED,
        (0, 0, 0) => exit_code::NOTHING_SELECTED,
        (0, 0, _) => exit_code::PASSED,
    })
}
