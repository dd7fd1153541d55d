//! Puts the system's errors into the terms of the records.

use std::fmt::Display;
use std::io;

use crate::escape::escape_bounded;
use crate::record::{ClientFailure, FailureCause, RequestPhase};

/// The most characters of a failure's detail.
pub(crate) const DETAIL_LIMIT: usize = 256;

/// Returns a failure whose detail is escaped and bounded.
pub(crate) fn failure(
    phase: RequestPhase,
    cause: FailureCause,
    detail: &dyn Display,
) -> ClientFailure {
    ClientFailure {
        phase,
        cause,
        detail: escape_bounded(detail.to_string().as_bytes(), DETAIL_LIMIT),
    }
}

/// Returns the cause that an error of the system stands for.
pub(crate) fn cause_of(error: &io::Error) -> FailureCause {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureCause::Refused,
        // A broken pipe is a write after the other side's reset.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => FailureCause::Reset,
        io::ErrorKind::UnexpectedEof => FailureCause::Closed,
        _ => FailureCause::Other,
    }
}
