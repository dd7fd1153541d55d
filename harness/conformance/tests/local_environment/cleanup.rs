//! Nothing of a pod outlives its handle, its harness, or its run.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde_json::json;

use crate::support::{
    Bench, PATIENCE, environment, runs_on_this_machine, shared_memory, shell, stack,
    until_command_lines, until_logged, until_nothing_runs,
};
use harness_core::model::identity::PodName;
use harness_environment::Environment as _;
use harness_environment::local::{probe_support, sweep};

/// Where the helper below puts its pod; without it the helper is not meant.
const HELPER_FOLDER: &str = "CONFORMANCE_TEST_HELPER_FOLDER";

/// What the helper's run is called.
const HELPER_RUN: &str = "CONFORMANCE_TEST_HELPER_RUN";

/// How long its container would sleep, by which it is recognised.
const HELPER_SECONDS: &str = "CONFORMANCE_TEST_HELPER_SECONDS";

#[tokio::test]
async fn this_machine_can_run_pods() {
    probe_support(env!("CARGO_BIN_EXE_conformance").into())
        .await
        .expect("suitable");
}

#[tokio::test]
async fn a_machine_without_the_executable_is_unsuitable_and_gets_a_hint() {
    let fault = probe_support("/no/such/conformance".into())
        .await
        .expect_err("unsuitable");
    assert!(
        matches!(&fault, harness_environment::EnvironmentFault::Unsuitable { reason, hint }
            if reason.contains("/no/such/conformance") && !hint.is_empty()),
        "{fault}"
    );
}

#[tokio::test]
async fn a_removed_pod_leaves_nothing_and_its_logs_can_be_read() {
    let bench = Bench::new();
    let before = shared_memory();
    let name = bench.name();
    let pod = bench
        .environment
        .create(
            name.clone(),
            &stack(json!({ "containers": [
                shell("app", "echo ready; exec sleep 7654323")
            ] })),
        )
        .await
        .expect("created");
    until_logged(&*pod, "app", "ready").await;
    assert!(runs_on_this_machine("sleep 7654323"));
    pod.remove().await.expect("removed");
    assert!(!runs_on_this_machine("sleep 7654323"));
    pod.remove().await.expect("removing again does nothing");
    assert_eq!(pod.log("app").await.expect("kept"), b"ready\n");
    drop(pod);
    let runtime = bench.path().join("runtime");
    assert!(!runtime.join("test1").join(name.to_string()).exists());
    drop(bench.environment);
    assert_eq!(runtime.read_dir().expect("readable").count(), 0);
    assert_eq!(shared_memory(), before);
}

#[tokio::test]
async fn dropping_the_last_handle_removes_the_pod() {
    let bench = Bench::new();
    let pod = bench
        .create(json!({ "containers": [shell("app", "echo ready; exec sleep 7654324")] }))
        .await;
    until_logged(&*pod, "app", "ready").await;
    drop(pod);
    until_nothing_runs("sleep 7654324").await;
}

#[tokio::test]
async fn a_pod_outlives_the_thread_that_asked_for_it() {
    let bench = std::sync::Arc::new(Bench::new());
    let (asking, runtime) = (
        std::sync::Arc::clone(&bench),
        tokio::runtime::Handle::current(),
    );
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let pod = json!({ "containers": [shell("app", "echo ready; exec sleep 60")] });
        let _ = sender.send(runtime.block_on(asking.create(pod)));
    });
    let pod = receiver.await.expect("created");
    thread.join().expect("ended");
    until_logged(&*pod, "app", "ready").await;
    until_command_lines(&*pod, "app", &["sleep 60"]).await;
    pod.remove().await.expect("removed");
}

#[test]
fn a_harness_that_is_killed_takes_its_pods_along_and_the_sweep_removes_its_folder() {
    let harness = Helper::start("helper1", "7654325");
    let runtime = harness.folder().join("runtime");
    assert_eq!(sweep(&runtime).expect("swept").in_use, ["helper1"]);
    let folder = harness.kill_and_see_nothing_left();
    let report = sweep(&runtime).expect("swept");
    assert_eq!(report.removed, ["helper1"]);
    assert!(report.killed.is_empty(), "{report:?}");
    assert_eq!(runtime.read_dir().expect("readable").count(), 0);
    drop(folder);
}

#[test]
fn a_pod_whose_supervisor_cannot_look_at_its_lifeline_dies_with_its_harness_too() {
    let harness = Helper::start("helper2", "7654327");
    for process in harness.pod_processes() {
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGSTOP).expect("stopped");
    }
    harness.kill_and_see_nothing_left();
}

#[test]
fn a_supervisor_that_was_left_behind_is_swept_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = crate::support::utf8(folder.path());
    std::fs::create_dir(runtime.join("left1")).expect("made");
    std::fs::write(runtime.join("left1/owner.lock"), "").expect("written");
    let mut left = Command::new("sleep")
        .arg0("conformance-pod:left1/pod")
        .arg("60")
        .spawn()
        .expect("started");
    let pid = i32::try_from(left.id()).expect("a process id");
    wait_for("the process", || {
        runs_on_this_machine("conformance-pod:left1/")
    });
    let report = sweep(&runtime).expect("swept");
    assert_eq!(
        (report.killed, report.removed),
        (vec![pid], vec!["left1".into()])
    );
    let status = left.wait().expect("collected");
    assert_eq!(status.signal(), Some(9));
}

/// A harness in a process of its own, with one pod.
struct Helper {
    process: std::process::Child,
    run: &'static str,
    seconds: &'static str,
    folder: tempfile::TempDir,
}

impl Helper {
    /// Starts it and waits until its container runs. `seconds` makes the container recognisable.
    fn start(run: &'static str, seconds: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "cleanup::helper_with_a_pod"])
            .env(HELPER_FOLDER, folder.path())
            .env(HELPER_RUN, run)
            .env(HELPER_SECONDS, seconds)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let helper = Self {
            process,
            run,
            seconds,
            folder,
        };
        wait_for("the helper's container", || helper.container_runs());
        helper
    }

    fn folder(&self) -> Utf8PathBuf {
        crate::support::utf8(self.folder.path())
    }

    fn container_runs(&self) -> bool {
        runs_on_this_machine(&format!("sleep {}", self.seconds))
    }

    /// The stage and the supervisor.
    fn pod_processes(&self) -> Vec<nix::unistd::Pid> {
        let label = format!("conformance-pod:{}/", self.run);
        let processes = crate::support::processes_on_this_machine(&label);
        assert_eq!(processes.len(), 2, "{processes:?}");
        processes
    }

    fn kill_and_see_nothing_left(mut self) -> tempfile::TempDir {
        self.process.kill().expect("killed");
        self.process.wait().expect("collected");
        let label = format!("conformance-pod:{}/", self.run);
        wait_for("the end of the pod", || {
            !self.container_runs() && !runs_on_this_machine(&label)
        });
        self.folder
    }
}

/// Not a test by itself: the harness that the test above kills.
#[test]
#[ignore = "is started by another test"]
fn helper_with_a_pod() {
    let setting = |name| std::env::var(name).expect("started by the test");
    let (folder, run) = (setting(HELPER_FOLDER), setting(HELPER_RUN));
    let script = format!(
        "trap '' TERM; sleep {} & wait; wait",
        setting(HELPER_SECONDS)
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let environment = environment(&Utf8PathBuf::from(folder));
        let name = PodName {
            run: run.parse().expect("a run id"),
            purpose: "helper".into(),
        };
        let pod = environment
            .create(
                name,
                &stack(json!({ "containers": [shell("app", &script)] })),
            )
            .await
            .expect("created");
        tokio::time::sleep(Duration::from_mins(2)).await;
        panic!("nobody killed the helper: {:#?}", pod.timeline());
    });
}

#[tokio::test]
async fn a_hundred_pods_come_and_go_without_a_trace() {
    let bench = Bench::new();
    for _ in 0..100 {
        let pod = bench
            .create(json!({ "containers": [shell("app", "exec sleep 7654326")] }))
            .await;
        pod.remove().await.expect("removed");
    }
    assert!(!runs_on_this_machine("sleep 7654326"));
    let left = bench.path().join("runtime/test1");
    let left: Vec<_> = left
        .read_dir()
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["owner.lock"]);
}

#[tokio::test]
async fn a_pod_comes_up_fast() {
    let bench = Bench::new();
    let mut spans = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let pod = bench
            .create(json!({ "containers": [shell("app", "exec sleep 60")] }))
            .await;
        crate::support::until(&*pod, "start", |event| event.container.is_some()).await;
        spans.push(started.elapsed());
        pod.remove().await.expect("removed");
    }
    spans.sort();
    assert!(spans[2] < Duration::from_millis(500), "{spans:?}");
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
