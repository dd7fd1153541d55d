//! Lines for the user. A terminal, pipe or file that takes no more is an error for the caller, never a panic.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output.
pub fn say(line: impl Display) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Writes a line to standard error, where a failure cannot be reported.
pub fn remark(line: impl Display) {
    // In one piece: standard error keeps nothing back, and with `--events -` other threads write to it by way of standard output.
    let _ = anstream::stderr().write_all(format!("{line}\n").as_bytes());
}
