//! Runs a command in a container through the API's exec, with its standard input and output in hand.

use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, AttachedProcess};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::time::timeout;

use crate::EnvironmentFault;
use crate::kube::api::fault::ask;
use harness_core::model::timeouts::TimedOut;

/// How much of a command's input and output is in flight, in bytes.
const PIPE_BYTES: usize = 256 * 1024;

/// A command that runs in a container.
pub(in crate::kube) struct Exec {
    /// Its standard input. It is never closed before the end: old API servers end the whole stream with it.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output. Whoever reads lines of it reads them here: what came in one piece with a line is kept for the next.
    pub stdout: Stdout,
    /// Ends the stream when it is dropped; the command sees the end of its input.
    pub guard: ExecGuard,
}

/// The standard output of a command in a container.
pub(super) type Stdout = BufReader<Box<dyn AsyncRead + Send + Unpin>>;

/// Keeps a stream open.
pub(in crate::kube) struct ExecGuard(Mutex<AttachedProcess>);

impl Drop for ExecGuard {
    fn drop(&mut self) {
        if let Ok(process) = self.0.lock() {
            process.abort();
        }
    }
}

/// Starts a command.
pub(in crate::kube) async fn exec(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    command: Vec<String>,
) -> Result<Exec, EnvironmentFault> {
    let parameters = AttachParams::default()
        .container(container)
        .stdin(true)
        .stdout(true)
        .stderr(false)
        .max_stdin_buf_size(PIPE_BYTES)
        .max_stdout_buf_size(PIPE_BYTES);
    let action = format!("run `{}` in pod `{pod}`", command.join(" "));
    let mut process = ask(&action, pods.exec(pod, command, &parameters)).await?;
    let (Some(stdin), Some(stdout)) = (process.stdin(), process.stdout()) else {
        return Err(EnvironmentFault::Cluster {
            action,
            detail: "the API gave no input or no output".into(),
            hint: None,
        });
    };
    Ok(Exec {
        stdin: Box::new(stdin),
        stdout: BufReader::new(Box::new(stdout)),
        guard: ExecGuard(Mutex::new(process)),
    })
}

/// Runs a command that takes one line and answers with one.
pub(in crate::kube) async fn ask_line(
    exec: &mut Exec,
    question: &[u8],
    limit: u64,
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    let talk = async {
        exec.stdin.write_all(question).await?;
        exec.stdin.write_all(b"\n").await?;
        exec.stdin.flush().await?;
        read_line(&mut exec.stdout, limit).await
    };
    match timeout(within, talk).await {
        Ok(Ok(line)) if line.last() == Some(&b'\n') => Ok(line),
        Ok(Ok(line)) => Err(EnvironmentFault::PodLost {
            reason: format!(
                "a command in it ended after {} bytes of its answer",
                line.len()
            ),
        }),
        Ok(Err(source)) => Err(EnvironmentFault::Io {
            action: "speak to a command in a pod".into(),
            source,
        }),
        Err(_) => Err(TimedOut {
            waited_for: "a command in a pod to answer".into(),
            budget: within.into(),
            last_seen: "no complete line".into(),
        }
        .into()),
    }
}

/// Reads one line and nothing beyond it.
async fn read_line(stdout: &mut Stdout, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    stdout.take(limit).read_until(b'\n', &mut line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_came_in_one_piece_with_the_first_line_is_there_for_the_next_reader() {
        let mut stdout: Stdout = BufReader::new(Box::new(&b"begun\nended\n"[..]));
        let first = read_line(&mut stdout, 64).await.expect("read");
        assert_eq!(first, b"begun\n");
        let second = stdout.lines().next_line().await.expect("read");
        assert_eq!(second.as_deref(), Some("ended"));
    }
}
