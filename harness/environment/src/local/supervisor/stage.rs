//! The first process of a pod: makes the namespaces, starts the supervisor in them, and waits.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid, getppid};

use super::system;

/// Makes the supervisor only try what every pod needs.
pub(in crate::local) const TRIAL_ARGUMENT: &str = "--trial";

/// Runs `pod-stage`.
///
/// Its arguments are the label that both processes carry in the process table and, for a trial,
/// the trial argument. Standard input is the lifeline, standard output the listening control
/// socket; the supervisor inherits both.
#[expect(
    clippy::print_stderr,
    reason = "standard error is the only way to the harness before the control socket is served"
)]
pub fn pod_stage_main() -> ExitCode {
    let mut arguments = std::env::args().skip(2);
    let label = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&label, &rest) {
        Ok(code) => code,
        Err(StageError { action, source }) => {
            eprintln!("cannot {action}: {source}");
            ExitCode::FAILURE
        }
    }
}

struct StageError {
    action: &'static str,
    source: io::Error,
}

fn failed_to(action: &'static str) -> impl FnOnce(io::Error) -> StageError {
    move |source| StageError { action, source }
}

fn run(label: &str, rest: &[String]) -> Result<ExitCode, StageError> {
    let parent = getppid();
    let (user, group) = (geteuid(), getegid());
    if !user.is_root() {
        unshare(CloneFlags::CLONE_NEWUSER)
            .map_err(io::Error::from)
            .map_err(failed_to("make a user namespace"))?;
        // The kernel wants this before a group map by a user without privileges.
        write_own("setgroups", "deny").map_err(failed_to("give up supplementary groups"))?;
        write_own("uid_map", &format!("0 {user} 1"))
            .map_err(failed_to("map the user into the namespace"))?;
        write_own("gid_map", &format!("0 {group} 1"))
            .map_err(failed_to("map the group into the namespace"))?;
    }
    // After the user namespace: a change of credentials clears the signal.
    system::die_with_parent().map_err(failed_to("tie the pod to the harness"))?;
    if getppid() != parent {
        return Err(failed_to("start")(io::Error::other(
            "the harness is gone already",
        )));
    }
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC,
    )
    .map_err(io::Error::from)
    .map_err(failed_to("make the pod's namespaces"))?;
    let status = Command::new("/proc/self/exe")
        .arg0(label)
        .arg("pod-init")
        .args(rest)
        .spawn()
        .and_then(|mut supervisor| supervisor.wait())
        .map_err(failed_to("run the pod's supervisor"))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn write_own(file: &str, content: &str) -> io::Result<()> {
    fs_err::write(format!("/proc/self/{file}"), content)
}
