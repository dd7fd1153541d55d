//! What this program does in the pods that serve a run in a cluster; their options are the harness's own.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use crate::report::terminal::{remark, say};
use crate::run::exit_code;
use harness_environment::observe;
use harness_environment::service_answers::{answer_connections, ask_until_answered_by, listen};

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

/// Does nothing until it is asked to end, so that a pod stays in which commands are run. With `--answer-on PORT` it answers connections with
/// its host name.
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
            if let Some(port) = port_to_answer_on()? {
                let name = nix::unistd::gethostname()?.to_string_lossy().into_owned();
                tokio::spawn(answer_connections(listen(port).await?, name));
            }
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

/// Connects to an address until so many pods have answered, or so many milliseconds are over, and writes down what came of it.
pub(super) fn await_answers_main() -> ExitCode {
    let argument = |position| std::env::args().nth(position);
    let address = argument(2).and_then(|text| text.parse().ok());
    let wanted = argument(3).and_then(|text| text.parse().ok());
    let within = argument(4).and_then(|text| text.parse().ok());
    let (Some(address), Some(wanted), Some(within)) = (address, wanted, within) else {
        remark("error: an address, a number of pods and a time in milliseconds are needed");
        return ExitCode::from(exit_code::USAGE);
    };
    let answers = ask_until_answered_by(wanted, address, Duration::from_millis(within));
    let line = serde_json::to_string(&answers).expect("answers have only string keys");
    drop(say(line));
    ExitCode::from(exit_code::PASSED)
}

fn port_to_answer_on() -> std::io::Result<Option<u16>> {
    let mut options = std::env::args().skip(2);
    match (options.next().as_deref(), options.next()) {
        (None, _) => Ok(None),
        (Some("--answer-on"), Some(port)) => match port.parse() {
            Ok(port) => Ok(Some(port)),
            Err(error) => Err(std::io::Error::new(ErrorKind::InvalidInput, error)),
        },
        (Some(_), _) => Err(ErrorKind::InvalidInput.into()),
    }
}

fn take_in_children() {
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    while !matches!(
        waitpid(None, Some(WaitPidFlag::WNOHANG)),
        Ok(WaitStatus::StillAlive) | Err(_)
    ) {}
}
