//! `conformance bench compare`: holds two stored benchmarks against each other.

use camino::Utf8PathBuf;
use clap::Args;

use super::bench_options::parse_microseconds;
use super::error::CliError;
use super::report_file::read_benchmark;
use crate::bench::stored::{StoredRuns, render};
use crate::report::terminal::say;
use crate::run::exit_code;

/// Options of `bench compare`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The folder of the older run, or its `bench.json`.
    #[arg(value_name = "BEFORE")]
    before: Utf8PathBuf,

    /// The folder of the newer run, or its `bench.json`.
    #[arg(value_name = "AFTER")]
    after: Utf8PathBuf,

    /// The difference in microseconds that matters: a smaller one is none.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 20.0, value_parser = parse_microseconds)]
    smallest_difference: f64,
}

const AFTER_HELP: &str = "\
What agent A added to the filter by itself, and to the null agent, is compared between the runs; never the latencies themselves. \
\
By how much what has no agent in it has changed is the least that counts. Two agents in one run (`conformance bench --b binary=PATH`, in a cluster `image=IMAGE`) are compared far more exactly.

Exit codes: 0 compared, 2 a record cannot be used, 3 the two cannot be compared: one is no measurement, or they \
have another machine, kernel, executable beside the agent's, load, seed or request.";

/// Compares and prints.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let before = read_benchmark(&arguments.before)?;
    let after = read_benchmark(&arguments.after)?;
    let runs = StoredRuns {
        before: &before,
        after: &after,
    };
    let reasons = runs.reasons_against();
    if !reasons.is_empty() {
        say("these runs cannot be compared")?;
        for reason in reasons {
            say(format_args!("  {reason}"))?;
        }
        return Ok(exit_code::ERRORED);
    }
    let changes = runs.changes(arguments.smallest_difference);
    if changes.is_empty() {
        say(
            "these runs cannot be compared\n  there is no percentile that both of them have judged",
        )?;
        return Ok(exit_code::ERRORED);
    }
    say(render(&runs, &changes))?;
    Ok(exit_code::PASSED)
}
