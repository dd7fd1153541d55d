//! Collects every child of the supervisor, which is process 1 of its pod.
//!
//! The supervisor has one thread: a process that was just made is registered before the reaper can
//! run, so no exit is missed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use harness_core::model::timeline::ExitStatus;

/// The children whose end is waited for.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    waiting: RefCell<HashMap<Pid, watch::Sender<Option<ExitStatus>>>>,
}

impl Reaper {
    /// Registers a child that was just made.
    pub(super) fn register(&self, child: Pid) -> ChildExit {
        let sender = watch::Sender::new(None);
        let receiver = sender.subscribe();
        self.waiting.borrow_mut().insert(child, sender);
        ChildExit { receiver }
    }

    /// Returns whether the child has been registered and has not ended.
    pub(super) fn is_alive(&self, child: Pid) -> bool {
        self.waiting.borrow().contains_key(&child)
    }

    /// Starts to listen for children that end. Must be called before the first child is made.
    pub(super) fn listen() -> io::Result<Signal> {
        signal(SignalKind::child())
    }

    /// Collects children for ever.
    pub(super) async fn run(&self, mut ended: Signal) {
        loop {
            self.collect();
            if ended.recv().await.is_none() {
                return;
            }
        }
    }

    fn collect(&self) {
        // Ends when no child is left or none of them has ended.
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let (child, status) = match status {
                WaitStatus::Exited(child, code) => (child, ExitStatus::Code(code)),
                WaitStatus::Signaled(child, signal, _) => {
                    (child, ExitStatus::Signal(signal as i32))
                }
                WaitStatus::StillAlive => return,
                WaitStatus::Stopped(..)
                | WaitStatus::PtraceEvent(..)
                | WaitStatus::PtraceSyscall(_)
                | WaitStatus::Continued(_) => continue,
            };
            // A child that is not registered was reparented from a container or the clone that
            // entered one.
            if let Some(sender) = self.waiting.borrow_mut().remove(&child) {
                sender.send_replace(Some(status));
            }
        }
    }
}

/// The end of one child, present or future.
#[derive(Clone, Debug)]
pub(super) struct ChildExit {
    receiver: watch::Receiver<Option<ExitStatus>>,
}

impl ChildExit {
    /// Waits until the child has ended.
    pub(super) async fn wait(&self) -> ExitStatus {
        let mut receiver = self.receiver.clone();
        let status = receiver
            .wait_for(Option::is_some)
            .await
            .map(|status| *status);
        match status {
            Ok(Some(status)) => status,
            // The sender goes with the supervisor only, and everything else with it.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Returns whether the child has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.receiver.borrow().is_some()
    }
}
