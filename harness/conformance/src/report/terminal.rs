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
    let _ = writeln!(anstream::stderr(), "{line}");
}
