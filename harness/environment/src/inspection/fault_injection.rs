//! Injects faults into a container's processes.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::answering::InspectedContainer;
use crate::ContainerFault;

/// How often all processes are signalled: one that was forked during the first round is met in the second.
const ROUNDS: usize = 2;

/// Injects the fault.
///
/// # Errors
///
/// When the kernel does not let a process be signalled.
pub(super) fn inject(container: &impl InspectedContainer, fault: ContainerFault) -> io::Result<()> {
    match fault {
        ContainerFault::Pause => send_to_all(container, Signal::SIGSTOP),
        ContainerFault::Resume => send_to_all(container, Signal::SIGCONT),
        ContainerFault::Kill => send(container.first_process(), Signal::SIGKILL),
        ContainerFault::Reload => send(container.first_process(), Signal::SIGHUP),
    }
}

fn send_to_all(container: &impl InspectedContainer, signal: Signal) -> io::Result<()> {
    for _ in 0..ROUNDS {
        for process in container.processes() {
            send(process, signal)?;
        }
    }
    Ok(())
}

fn send(process: i32, signal: Signal) -> io::Result<()> {
    match kill(Pid::from_raw(process), signal) {
        // It has ended meanwhile.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    }
}
