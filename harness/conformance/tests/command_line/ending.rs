//! However a run ends, nothing of it is left.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use tempfile::TempDir;

use super::support::{command, conformance, path};

/// How long leavings may take to go.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Starts a run of a slow scenario and waits until its pod stands.
fn start_run(output: &TempDir) -> Child {
    let mut child = command(&[
        "run",
        "drain::finishes-slow-requests",
        "decisions::passes-benign-requests",
        "--output",
        path(output),
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .expect("the command starts");
    // The quick scenario has ended: the slow one's pod stands.
    let stdout = child.stdout.take().expect("piped");
    let line = BufReader::new(stdout).lines().next();
    assert!(
        line.is_some_and(|line| line.is_ok()),
        "the run says something"
    );
    child
}

fn run_name(output: &TempDir) -> String {
    fs::read_dir(output.path())
        .expect("the output folder")
        .next()
        .expect("a run")
        .expect("an entry")
        .file_name()
        .into_string()
        .expect("UTF-8")
}

/// Returns the command lines of living processes that belong to a run.
fn processes_of(run: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("proc").flatten() {
        let Ok(command_line) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let text = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if text.contains("conformance-pod:") && text.contains(run) {
            found.push(text);
        }
    }
    found
}

fn mounts_of(run: &str) -> usize {
    fs::read_to_string("/proc/self/mountinfo")
        .expect("mounts")
        .lines()
        .filter(|line| line.contains(run))
        .count()
}

fn await_nothing_left(run: &str) {
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        let left = processes_of(run);
        if left.is_empty() && mounts_of(run) == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "left: {left:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[rstest]
#[case::interrupt(Signal::SIGINT, Some(130))]
#[case::terminate(Signal::SIGTERM, Some(143))]
#[case::hang_up(Signal::SIGHUP, Some(129))]
#[case::kill(Signal::SIGKILL, None)]
fn a_run_that_is_ended_from_outside_leaves_nothing(
    #[case] signal: Signal,
    #[case] code: Option<i32>,
) {
    let output = TempDir::new().expect("a folder");
    let mut child = start_run(&output);
    let run = run_name(&output);
    assert!(!processes_of(&run).is_empty(), "the pod stands");
    let process = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(process, signal).expect("the run lives");
    let status = child.wait().expect("the run ends");
    assert_eq!(status.code(), code);
    await_nothing_left(&run);
    let next = conformance(&["clean"]);
    assert_eq!(next.code, Some(0), "{}", next.seen());
    let runtime = std::env::temp_dir().join(format!("conformance-{}", nix::unistd::getuid()));
    assert!(!runtime.join(&run).exists());
}
