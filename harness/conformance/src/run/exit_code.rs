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
/// A benchmark broke a limit of its gate.
pub const GATE_BROKEN: u8 = 5;
/// A benchmark could not tell whether a limit of its gate is kept, and none is broken.
pub const GATE_INCONCLUSIVE: u8 = 6;
/// A bug in the harness (`EX_SOFTWARE` of sysexits.h).
pub const INTERNAL: u8 = 70;

/// A signal by which the user ends a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndingSignal {
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// SIGINT, as of Ctrl-C.
    Interrupt,
    /// SIGTERM, as of a CI job that is cancelled.
    Terminate,
}

impl EndingSignal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::HangUp, Self::Interrupt, Self::Terminate];

    /// Returns the exit code of a command that the signal ended: 128 and its number. Clean-up was done, and the result is incomplete.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Returns the code of several runs together: that of the one that says most.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| match *code {
        PASSED => 0,
        NOTHING_SELECTED => 1,
        FAILED => 2,
        ERRORED => 3,
        INTERNAL => 5,
        _ => 4,
    };
    codes
        .into_iter()
        .max_by_key(rank)
        .unwrap_or(NOTHING_SELECTED)
}

/// How a run came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Every scenario was run.
    Complete,
    /// The user ended it.
    Interrupted(EndingSignal),
    /// Its time was over.
    OutOfTime,
    /// The harness itself failed.
    InternalFault,
}

/// Returns the exit code of a run.
pub fn of_run(record: &RunRecord, ending: Ending) -> u8 {
    match ending {
        Ending::InternalFault => INTERNAL,
        Ending::Interrupted(signal) => signal.exit_code(),
        Ending::OutOfTime => ERRORED,
        Ending::Complete if record.scenarios.is_empty() => NOTHING_SELECTED,
        Ending::Complete if record.totals.count("errored") > 0 => ERRORED,
        Ending::Complete if record.totals.count("failed") > 0 || !record.findings.is_empty() => {
            FAILED
        }
        Ending::Complete if record.totals.count("passed") == 0 => NOTHING_SELECTED,
        Ending::Complete => PASSED,
    }
}
