//! What this program does in the pods that serve a run in a cluster; they take no options.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::environment::observe;
use crate::report::terminal::remark;
use crate::run::exit_code;

/// Answers one request of the harness about the containers of this node.
pub(super) fn observe_main() -> ExitCode {
    match observe::main() {
        Ok(()) => ExitCode::from(exit_code::PASSED),
        Err(error) => {
            remark(format_args!("error: {error}"));
            ExitCode::from(exit_code::ERRORED)
        }
    }
}

/// Does nothing until it is told to end, so that a pod stays in which commands are run.
pub(super) fn stand_by_main() -> ExitCode {
    let stand_by = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut terminated = signal(SignalKind::terminate())?;
            let mut interrupted = signal(SignalKind::interrupt())?;
            // Process 1 of a container inherits what its commands leave behind, and has to take it in.
            let mut children = signal(SignalKind::child())?;
            loop {
                tokio::select! {
                    _ = terminated.recv() => return Ok(()),
                    _ = interrupted.recv() => return Ok(()),
                    _ = children.recv() => take_in_children(),
                }
            }
        })
    };
    match stand_by() {
        Ok(()) => ExitCode::from(exit_code::PASSED),
        Err(error) => {
            remark(format_args!("error: {error}"));
            ExitCode::from(exit_code::ERRORED)
        }
    }
}

fn take_in_children() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    while !matches!(
        waitpid(None, Some(WaitPidFlag::WNOHANG)),
        Ok(WaitStatus::StillAlive) | Err(_)
    ) {}
}
