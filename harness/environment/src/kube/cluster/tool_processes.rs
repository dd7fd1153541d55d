//! Ends what a harness that was killed has left at work: the tool that was making its cluster goes on without it.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::polling::Polling;

/// The programs that work on clusters, the engine's client among them.
const PROGRAMS: [&str; 3] = ["docker", "k3d", "kind"];
/// How long a killed process may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// How often the process table is looked at for it.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Kills this user's processes of such programs that name the cluster or one of its nodes, and waits until they are gone.
pub(super) async fn end_tools_of(cluster: &str) -> io::Result<()> {
    let mut polling = Polling::within(GONE_WITHIN, POLL_EVERY);
    let mut found = Vec::new();
    while polling.next().await {
        found = tools_of(cluster)?;
        if found.is_empty() {
            return Ok(());
        }
        for process in &found {
            // It may have ended meanwhile.
            let _ = kill(Pid::from_raw(*process), Signal::SIGKILL);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the processes {found:?} are still there after they were killed"),
    ))
}

fn tools_of(cluster: &str) -> io::Result<Vec<i32>> {
    let user = nix::unistd::getuid().as_raw();
    let processes = fs_err::read_dir("/proc")?
        .filter_map(Result::ok)
        .filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == user))
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|process| {
            // That of a process that is gone and not yet waited for is empty.
            fs_err::read(format!("/proc/{process}/cmdline"))
                .is_ok_and(|line| works_on(&line, cluster))
        })
        .collect();
    Ok(processes)
}

fn works_on(command_line: &[u8], cluster: &str) -> bool {
    let line = String::from_utf8_lossy(command_line);
    let mut arguments = line.split('\0');
    let program = arguments.next().unwrap_or_default();
    let is_tool = Utf8Path::new(program)
        .file_name()
        .is_some_and(|name| PROGRAMS.contains(&name));
    is_tool
        && arguments.any(|argument| {
            // Nodes are named after their cluster: `<cluster>-control-plane`, `k3d-<cluster>-server-0`.
            let argument = argument.strip_prefix("k3d-").unwrap_or(argument);
            argument
                .strip_prefix(cluster)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("kind\0create\0cluster\0--name\0conformance-a\0", true)]
    #[case("/usr/bin/docker\0run\0--name\0conformance-a-control-plane\0", true)]
    #[case("k3d\0cluster\0create\0conformance-a\0", true)]
    #[case("docker\0rm\0k3d-conformance-a-server-0\0", true)]
    #[case("kind\0create\0cluster\0--name\0conformance-ab\0", false)]
    #[case("kind\0create\0cluster\0--name\0production\0", false)]
    #[case("vim\0conformance-a\0", false)]
    #[case("", false)]
    fn only_a_tool_that_names_the_cluster_works_on_it(#[case] line: &str, #[case] expected: bool) {
        assert_eq!(works_on(line.as_bytes(), "conformance-a"), expected);
    }
}
