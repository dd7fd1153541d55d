//! Runs a program of this machine to its end, within its time, and returns what it wrote.

use std::io;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::EnvironmentFault;
use harness_core::model::timeouts::TimedOut;

/// How much of a program's message is shown, in bytes.
const SHOWN_BYTES: usize = 2048;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandFault {
    /// It ran and failed.
    #[error("{status}: {message}")]
    Failed {
        /// What was attempted: `load an image with kind`.
        action: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to standard error.
        message: String,
    },
    /// There is no such program.
    #[error("there is no command `{name}`")]
    Missing {
        /// What was attempted.
        action: String,
        /// The program.
        name: String,
    },
    /// It could not be run.
    #[error("{source}")]
    NotRun {
        /// What was attempted.
        action: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It took too long, and was ended.
    #[error(transparent)]
    TimedOut(TimedOut),
}

impl CommandFault {
    /// Adds what the user can do about it.
    pub(super) fn with_hint(self, hint: Option<String>) -> EnvironmentFault {
        let detail = self.to_string();
        match self {
            Self::TimedOut(timed_out) => timed_out.into(),
            Self::Failed { action, .. }
            | Self::Missing { action, .. }
            | Self::NotRun { action, .. } => EnvironmentFault::Cluster {
                action,
                detail,
                hint,
            },
        }
    }
}

impl From<CommandFault> for EnvironmentFault {
    fn from(fault: CommandFault) -> Self {
        fault.with_hint(None)
    }
}

/// Runs a program to its end and returns what it wrote to standard output. The input is shorter than what a pipe holds.
///
/// # Errors
///
/// When there is no such program, it fails, or it takes too long.
///
/// # Cancel safety
///
/// What it has started in its process group ends with the call.
pub(super) async fn run_command(
    name: &str,
    action: &str,
    arguments: &[String],
    input: &str,
    within: Duration,
) -> Result<Vec<u8>, CommandFault> {
    let full_action = || format!("{action} with {name}");
    let child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal is the harness's to handle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let finished = match child {
        Ok(mut child) => {
            if let Some(mut stdin) = child.stdin.take() {
                // A program that ends without reading it says itself why.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            await_end(child, within).await
        }
        Err(error) => Ok(Err(error)),
    };
    let output = match finished {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CommandFault::Missing {
                action: full_action(),
                name: name.to_owned(),
            });
        }
        Ok(Err(source)) => {
            return Err(CommandFault::NotRun {
                action: full_action(),
                source,
            });
        }
        Err(_) => {
            return Err(CommandFault::TimedOut(TimedOut {
                waited_for: format!("{name} to {action}"),
                budget: within.into(),
                last_seen: "it still ran, and was ended".into(),
            }));
        }
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(CommandFault::Failed {
        action: full_action(),
        status: output.status,
        message: tail(&output.stderr),
    })
}

/// Waits for a program's end. When its time is over, or the wait is given up, what it has started in its group ends with it: a tool that is
/// killed alone leaves the engine's client at work.
async fn await_end(child: Child, within: Duration) -> Result<io::Result<Output>, Elapsed> {
    let leader = child.id();
    let mut waiting = std::pin::pin!(child.wait_with_output());
    // It goes before the child does: until that has been waited for, no other group has its number.
    let mut group = OwnGroup(leader);
    let finished = timeout(within, &mut waiting).await;
    if finished.is_ok() {
        group.0 = None;
    }
    finished
}

/// The group of a program that is not let live.
struct OwnGroup(Option<u32>);

impl Drop for OwnGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|leader| i32::try_from(leader).ok()) {
            // It may have ended just now.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(SHOWN_BYTES);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_program_has_started_ends_with_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("child");
        let script = format!("sleep 300 & echo $! > '{}'; wait", path.display());
        let arguments = ["-c".to_owned(), script];
        let error = run_command("sh", "wait", &arguments, "", Duration::from_secs(1))
            .await
            .expect_err("it hangs");
        assert!(matches!(error, CommandFault::TimedOut(_)), "{error}");
        let child = fs_err::read_to_string(&path).expect("the child was started");
        let stat = format!("/proc/{}/stat", child.trim());
        // The kernel takes its time to end a process that it was asked to kill.
        let ended = async {
            while fs_err::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), ended)
            .await
            .expect("the child still runs");
    }

    #[tokio::test]
    async fn a_program_reads_its_input_to_the_end() {
        let within = Duration::from_secs(30);
        let said = run_command("cat", "read", &[], "kind: Cluster\n", within).await;
        assert_eq!(said.expect("it ends"), b"kind: Cluster\n");
        let said = run_command("cat", "read", &[], "", within).await;
        assert_eq!(said.expect("it ends"), b"");
    }

    #[tokio::test]
    async fn what_a_program_says_is_returned_and_its_failure_reported() {
        let arguments = [
            "-c".to_owned(),
            "echo said; echo why >&2; exit $0".to_owned(),
        ];
        let run = async |code: &str| {
            let arguments = [&arguments[..], &[code.to_owned()]].concat();
            run_command("sh", "speak", &arguments, "", Duration::from_secs(30)).await
        };
        assert_eq!(run("0").await.expect("it ends well"), b"said\n");
        let error = run("3").await.expect_err("it failed").to_string();
        assert!(error.ends_with(": why"), "{error}");
    }
}
