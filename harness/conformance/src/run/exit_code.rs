//! The exit codes of the command, and which one wins when several apply.

use crate::report::record::RunRecord;

/// All selected scenarios passed, or were unsupported for a stated reason.
pub const PASSED: u8 = 0;
/// A scenario failed: the system under test is wrong.
pub const FAILED: u8 = 1;
/// Bad usage, configuration or scenario file.
pub const USAGE: u8 = 2;
/// The environment or the harness could not judge.
pub const ERRORED: u8 = 3;
/// Nothing was selected, or nothing of it could be run here.
pub const NOTHING_SELECTED: u8 = 4;
/// A bug in the harness (`EX_SOFTWARE` of sysexits.h).
pub const INTERNAL: u8 = 70;
/// Interrupted; clean-up was done and the result is incomplete (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// How a run came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Every scenario was run.
    Complete,
    /// The user interrupted it.
    Interrupted,
    /// The harness itself failed.
    InternalFault,
}

/// Returns the exit code of a run.
pub fn of_run(record: &RunRecord, ending: Ending) -> u8 {
    match ending {
        Ending::InternalFault => INTERNAL,
        Ending::Interrupted => INTERRUPTED,
        Ending::Complete if record.scenarios.is_empty() => NOTHING_SELECTED,
        Ending::Complete if record.totals.count("errored") > 0 => ERRORED,
        Ending::Complete if record.totals.count("failed") > 0 || !record.findings.is_empty() => {
            FAILED
        }
        Ending::Complete if record.totals.count("passed") == 0 => NOTHING_SELECTED,
        Ending::Complete => PASSED,
    }
}
