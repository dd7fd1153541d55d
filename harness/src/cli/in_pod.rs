//! What this program does in the pods that serve a run in a cluster; they take no options.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::environment::observe;
use crate::report::terminal::{remark, say};
use crate::run::exit_code;

/// How long an address may take until it refuses.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// How long one connection may take.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Between two connections.
const CONNECT_EVERY: Duration = Duration::from_millis(20);

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

/// Waits until an address refuses connections, as a Service without endpoints does once the node knows it. Says which way it ended.
pub(super) fn await_refusal_main() -> ExitCode {
    let mut last = "no address was given".to_owned();
    let address = std::env::args().nth(2).and_then(|text| text.parse().ok());
    if let Some(address) = address {
        let deadline = Instant::now() + REFUSED_WITHIN;
        while Instant::now() < deadline {
            last = match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
                Ok(_) => "accepted".into(),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => "refused".into(),
                Err(error) => error.to_string(),
            };
            if last == "refused" {
                break;
            }
            std::thread::sleep(CONNECT_EVERY);
        }
    }
    drop(say(last));
    ExitCode::from(exit_code::PASSED)
}

fn take_in_children() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    while !matches!(
        waitpid(None, Some(WaitPidFlag::WNOHANG)),
        Ok(WaitStatus::StillAlive) | Err(_)
    ) {}
}
