//! Nothing of a pod outlives its handle, its harness, or its run.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use harness::environment::Environment as _;
use harness::environment::local::{probe_support, sweep};
use harness::model::identity::PodName;
use serde_json::json;

use crate::support::{
    Bench, PATIENCE, environment, runs_on_this_machine, shared_memory, shell, stack, until_logged,
    until_nothing_runs,
};

/// Where the helper below puts its pod; without it the helper is not meant.
const HELPER_FOLDER: &str = "CONFORMANCE_TEST_HELPER_FOLDER";

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
        matches!(&fault, harness::environment::EnvironmentFault::Unsuitable { reason, hint }
            if reason.contains("/no/such/conformance") && !hint.is_empty()),
        "{fault}"
    );
}

#[tokio::test]
async fn a_removed_pod_leaves_its_logs_and_nothing_else() {
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
    let log = bench.path().join(format!("logs/{name}/app.log"));
    assert_eq!(std::fs::read_to_string(log).expect("kept"), "ready\n");
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
    let lines = pod.command_lines("app").await.expect("it runs");
    assert_eq!(lines.len(), 1, "{lines:?}");
    pod.remove().await.expect("removed");
}

#[test]
fn a_harness_that_is_killed_takes_its_pods_along_and_the_sweep_removes_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = crate::support::utf8(folder.path());
    let mut helper = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "cleanup::helper_with_a_pod"])
        .env(HELPER_FOLDER, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let marker = "sleep 7654325";
    wait_for("the helper's container", || runs_on_this_machine(marker));
    let runtime = path.join("runtime");
    assert_eq!(sweep(&runtime).expect("swept").in_use, ["helper1"]);
    helper.kill().expect("killed");
    helper.wait().expect("collected");
    wait_for("the end of the pod", || {
        !runs_on_this_machine(marker) && !runs_on_this_machine("conformance-pod:helper1")
    });
    let report = sweep(&runtime).expect("swept");
    assert_eq!(report.removed, ["helper1"]);
    assert!(report.killed.is_empty(), "{report:?}");
    assert_eq!(runtime.read_dir().expect("readable").count(), 0);
}

/// Not a test by itself: the harness that the test above kills.
#[test]
#[ignore = "is started by another test"]
fn helper_with_a_pod() {
    let folder = std::env::var(HELPER_FOLDER).expect("started by the test");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let environment = environment(&Utf8PathBuf::from(folder));
        let name = PodName {
            run: "helper1".parse().expect("a run id"),
            purpose: "helper".into(),
        };
        let script = "trap '' TERM; sleep 7654325 & wait; wait";
        let pod = environment
            .create(
                name,
                &stack(json!({ "containers": [shell("app", script)] })),
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
