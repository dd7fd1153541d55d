//! Finds out whether this machine can run pods, by trying.

use std::process::{Output, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use tokio::process::Command;
use tokio::time;

use super::stage_thread;
use super::supervisor::TRIAL_ARGUMENT;
use crate::EnvironmentFault;

/// How long the trial may take.
const TRIAL_ENDS_WITHIN: Duration = Duration::from_secs(10);

/// The name of the trial's processes; no run is called so, and no sweep touches it.
const TRIAL_LABEL: &str = "conformance-trial";

/// Tries what every pod needs: namespaces, a network, mounts, a process tree of its own.
///
/// `conformance` is the `conformance` executable.
///
/// # Errors
///
/// [`EnvironmentFault::Unsuitable`] with what the kernel refused and what the user can do.
pub async fn probe_support(conformance: &Utf8Path) -> Result<(), EnvironmentFault> {
    let mut command = Command::new(conformance);
    command
        .arg0(TRIAL_LABEL)
        .args(["pod-stage", TRIAL_LABEL, TRIAL_ARGUMENT])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let unsuitable = |reason: String| EnvironmentFault::Unsuitable {
        hint: hint(&reason),
        reason,
    };
    let trial = async { stage_thread::spawn(command).await?.wait_with_output().await };
    match time::timeout(TRIAL_ENDS_WITHIN, trial).await {
        Ok(Ok(Output { status, .. })) if status.success() => Ok(()),
        Ok(Ok(Output { stderr, .. })) => {
            let text = String::from_utf8_lossy(&stderr);
            Err(unsuitable(text.trim().replace('\n', "; ")))
        }
        Ok(Err(error)) => Err(unsuitable(format!("cannot run `{conformance}`: {error}"))),
        Err(_) => Err(unsuitable(format!(
            "the trial did not end within {} seconds",
            TRIAL_ENDS_WITHIN.as_secs()
        ))),
    }
}

/// Returns what the user can do, by what this kernel's settings say.
fn hint(reason: &str) -> String {
    let setting = |name: &str| {
        fs_err::read_to_string(format!("/proc/sys/{name}"))
            .map(|value| value.trim().to_owned())
            .unwrap_or_default()
    };
    if setting("kernel/unprivileged_userns_clone") == "0" {
        return "allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, or run as root"
            .into();
    }
    if setting("user/max_user_namespaces") == "0" {
        return "allow user namespaces: `sysctl user.max_user_namespaces=10000`, or run as root"
            .into();
    }
    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "allow user namespaces: `sysctl \
                kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
            .into();
    }
    if reason.contains("/proc") {
        return "inside a container the kernel refuses a new /proc while parts of the outer one \
                are masked: run the container with `--privileged`, or with \
                `--security-opt systempaths=unconfined`"
            .into();
    }
    "run as root, or on a kernel that lets everybody make user namespaces; in a container, run it \
     with `--privileged`"
        .into()
}
