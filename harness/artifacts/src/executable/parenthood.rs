//! Lets a program end with the thread that started it, so that a harness that is killed leaves none behind, not even one that is stopped.
#![expect(
    unsafe_code,
    reason = "what a child does before it becomes another program is outside of what the compiler checks"
)]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};

/// Asks the kernel to kill the program when the thread that starts it ends (prctl(2), `PR_SET_PDEATHSIG`). That thread has to wait for it.
pub(super) fn end_with_starter(command: &mut Command) {
    let starter = getpid();
    let ask = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        // The starter may have ended before the kernel was asked.
        if getppid() == starter {
            Ok(())
        } else {
            Err(Errno::ESRCH.into())
        }
    };
    // SAFETY: the closure makes system calls and nothing else; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(ask) };
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use nix::sys::signal::kill;
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_stopped_program_ends_with_the_thread_that_started_it() {
        let mut child = std::thread::spawn(|| {
            let mut command = Command::new("sleep");
            command.arg("300").stdout(Stdio::null());
            end_with_starter(&mut command);
            let child = command.spawn().expect("started");
            let id = Pid::from_raw(i32::try_from(child.id()).expect("positive"));
            kill(id, Signal::SIGSTOP).expect("stopped");
            child
        })
        .join()
        .expect("the thread ends");
        let deadline = Instant::now() + Duration::from_secs(10);
        while child.try_wait().expect("waited for").is_none() {
            assert!(Instant::now() < deadline, "it goes on without its starter");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
