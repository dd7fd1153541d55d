//! Makes clients from a kubeconfig, within a time: the command that gives the credentials may hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use kube::{Client, Config};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, gettid};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::EnvironmentFault;
use crate::kube::api::fault::fault;
use harness_core::model::timeouts::TimedOut;

/// The thread has not begun yet.
const NO_THREAD: i32 = 0;

/// Two clients of one cluster.
pub(super) struct Clients {
    pub client: Client,
    /// Does not ask again by itself where the API says that it is busy.
    pub asks_once: Client,
}

/// Makes the clients. The credentials' command is run in a thread of its own, which blocks for as long as the command does.
///
/// # Errors
///
/// When there are no credentials to be had, or not in this time; then the command is ended.
pub(super) async fn make_clients(
    config: Config,
    within: Duration,
) -> Result<Clients, EnvironmentFault> {
    let (sender, receiver) = oneshot::channel();
    let runtime = Handle::current();
    let thread_id = Arc::new(AtomicI32::new(NO_THREAD));
    let own_id = thread_id.clone();
    thread::spawn(move || {
        own_id.store(gettid().as_raw(), Ordering::Release);
        let _entered = runtime.enter();
        // Nothing waits for it any more once its time is over.
        let _ = sender.send(both(config));
    });
    match timeout(within, receiver).await {
        Ok(Ok(made)) => made.map_err(|error| fault("use the kubeconfig", &error)),
        Ok(Err(_)) => Err(EnvironmentFault::Cluster {
            action: "use the kubeconfig".into(),
            detail: "no client can be made of it".into(),
            hint: None,
        }),
        Err(_) => {
            end_children_of(thread_id.load(Ordering::Acquire));
            Err(TimedOut {
                waited_for: "the kubeconfig's command that gives credentials".into(),
                budget: within.into(),
                last_seen: "it still ran, and was ended".into(),
            }
            .into())
        }
    }
}

fn both(config: Config) -> Result<Clients, kube::Error> {
    let mut once = config.clone();
    once.default_retry = false;
    Ok(Clients {
        client: Client::try_from(config)?,
        asks_once: Client::try_from(once)?,
    })
}

/// Ends the programs that one thread of this process has started (proc(5), `/proc/<pid>/task/<tid>/children`).
fn end_children_of(thread_id: i32) {
    if thread_id == NO_THREAD {
        return;
    }
    let path = format!("/proc/self/task/{thread_id}/children");
    for child in fs_err::read_to_string(path)
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
    {
        // It may have ended just now; the thread has not waited for it yet, so that the number is still its own.
        let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
    }
}
