//! The one thread that starts pods.
//!
//! The kernel sends the parent-death signal when the thread that made a process ends, not when its
//! process does. A thread of a runtime's pool can end at any time; this one lives as long as the
//! harness.

use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::{io, thread};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Job {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

static JOBS: OnceLock<Sender<Job>> = OnceLock::new();

/// Starts the command from the thread that outlives every pod.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let (reply, answer) = oneshot::channel();
    let job = Job {
        command,
        runtime: Handle::current(),
        reply,
    };
    let stopped = || io::Error::other("the thread that starts pods has stopped");
    JOBS.get_or_init(start).send(job).map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())?
}

fn start() -> Sender<Job> {
    let (sender, jobs) = channel::<Job>();
    let started = thread::Builder::new()
        .name("pod-stages".into())
        .spawn(move || {
            for mut job in jobs {
                let _entered = job.runtime.enter();
                // A caller that went away drops the child, which kills it.
                let _ = job.reply.send(job.command.spawn());
            }
        });
    // Without the thread the channel is closed, and every caller learns of it.
    if let Err(error) = started {
        tracing::error!(%error, "cannot start the thread that starts pods");
    }
    sender
}
