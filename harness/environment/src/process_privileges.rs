//! Asks the kernel of this machine what it lets a process do.

use std::io;

use harness_core::model::process_privileges::ProcessPrivileges;

/// Reads the status of a process.
pub(crate) fn privileges_of(process: i32) -> io::Result<ProcessPrivileges> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status"))?;
    ProcessPrivileges::parse(&status).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
