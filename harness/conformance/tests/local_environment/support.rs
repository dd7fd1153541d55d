//! What the tests share: an environment with small shell programs as images, and bounded waits.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the templates are written in place; a reference at each would hide them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use harness_core::model::agent_egress::AgentEgress;
use harness_core::model::identity::{PodName, RunId};
use harness_core::model::terminating_endpoints::TerminatingEndpoints;
use harness_core::model::timeline::{LifecycleEvent, TimelineEvent};
use harness_core::stack::Stack;
use harness_core::stack::secret::SecretText;
use harness_environment::local::{ImageTable, LocalEnvironment, LocalOptions};
use harness_environment::{Environment, EnvironmentFault, Pod};

/// The bound of every wait in these tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks of a bounded wait.
const LOOK_EVERY: Duration = Duration::from_millis(5);

static PURPOSES: AtomicU32 = AtomicU32::new(0);

/// An environment in a folder of its own.
pub(crate) struct Bench {
    pub(crate) environment: LocalEnvironment,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) run: RunId,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with_egress(AgentEgress::None)
    }

    /// With a way out for the agent's container.
    pub(crate) fn with_egress(egress: AgentEgress) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            environment: environment_with(&utf8(folder.path()), egress),
            folder,
            run: "test1".parse().expect("a run id"),
        }
    }

    pub(crate) fn path(&self) -> Utf8PathBuf {
        utf8(self.folder.path())
    }

    pub(crate) fn name(&self) -> PodName {
        PodName {
            run: self.run.clone(),
            purpose: format!("pod-{}", PURPOSES.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) async fn try_create(&self, pod: Value) -> Result<Arc<dyn Pod>, EnvironmentFault> {
        self.environment.create(self.name(), &stack(pod)).await
    }

    pub(crate) async fn create(&self, pod: Value) -> Arc<dyn Pod> {
        self.try_create(pod).await.expect("the pod is created")
    }
}

/// Makes an environment below a folder.
pub(crate) fn environment(path: &Utf8Path) -> LocalEnvironment {
    environment_with(path, AgentEgress::None)
}

fn environment_with(path: &Utf8Path, agent_egress: AgentEgress) -> LocalEnvironment {
    let executables = BTreeMap::from([("test/sh".to_owned(), Utf8PathBuf::from("/bin/sh"))]);
    LocalEnvironment::new(LocalOptions {
        images: ImageTable { executables },
        conformance: env!("CARGO_BIN_EXE_conformance").into(),
        runtime: path.join("runtime"),
        agent_egress,
    })
}

/// A pod template with a secret and a config map beside it.
pub(crate) fn stack(pod: Value) -> Stack {
    let secret = BTreeMap::from([("key".to_owned(), SecretText::new("s3cret"))]);
    let map = BTreeMap::from([("greeting.txt".to_owned(), "hello\n".to_owned())]);
    Stack {
        pull_policies: BTreeMap::new(),
        own_images: BTreeSet::new(),
        namespace_enforces: None,
        agents: None,
        pod: serde_json::from_value(pod).expect("a pod template"),
        terminating_endpoints: TerminatingEndpoints::default(),
        config_maps: BTreeMap::from([("map".to_owned(), map)]),
        secrets: BTreeMap::from([("secret".to_owned(), secret)]),
    }
}

/// A container that runs a shell script.
pub(crate) fn shell(name: &str, script: &str) -> Value {
    json!({ "name": name, "image": "test/sh:1", "args": ["-c", script] })
}

/// A container with further fields.
pub(crate) fn with(mut container: Value, further: Value) -> Value {
    let fields = container.as_object_mut().expect("an object");
    for (name, value) in further.as_object().expect("an object") {
        fields.insert(name.clone(), value.clone());
    }
    container
}

/// A pod that is not restarted, of one container.
pub(crate) fn once(container: Value) -> Value {
    json!({ "restartPolicy": "Never", "containers": [container] })
}

/// Waits until the timeline has an event that matches, and returns the first.
pub(crate) async fn until(
    pod: &dyn Pod,
    what: &str,
    matches: impl Fn(&TimelineEvent) -> bool,
) -> TimelineEvent {
    let wait = async {
        loop {
            let events = pod.timeline();
            if let Some(event) = events.iter().find(|event| matches(event)) {
                return event.clone();
            }
            assert!(
                !events
                    .iter()
                    .any(|event| event.event == LifecycleEvent::PodGone),
                "the pod is gone before {what}: {events:#?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let event = tokio::time::timeout(PATIENCE, wait).await;
    event.unwrap_or_else(|late| panic!("no {what}, {late}: {:#?}", pod.timeline()))
}

/// Waits until a container has ended.
pub(crate) async fn until_exited(pod: &dyn Pod, container: &str) -> TimelineEvent {
    until(pod, "exit", |event| {
        event.container.as_deref() == Some(container)
            && matches!(event.event, LifecycleEvent::Exited(_))
    })
    .await
}

/// Waits until the pod is gone.
pub(crate) async fn until_gone(pod: &dyn Pod) {
    let wait = async {
        while !pod
            .timeline()
            .iter()
            .any(|event| event.event == LifecycleEvent::PodGone)
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let gone = tokio::time::timeout(PATIENCE, wait).await;
    assert!(gone.is_ok(), "the pod is not gone: {:#?}", pod.timeline());
}

/// Waits until a container's log contains a text, and returns the log.
pub(crate) async fn until_logged(pod: &dyn Pod, container: &str, text: &str) -> String {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let log = log(pod, container).await;
        if log.contains(text) {
            return log;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "`{text}` is not in the log: {log:?}; {:#?}",
            pod.timeline()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

pub(crate) async fn log(pod: &dyn Pod, container: &str) -> String {
    let bytes = pod.log(container).await.expect("a log");
    String::from_utf8(bytes).expect("UTF-8")
}

/// Waits until a container's command lines are these, in any order. A process that is just executing
/// its program has none.
pub(crate) async fn until_command_lines(pod: &dyn Pod, container: &str, expected: &[&str]) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let lines = pod.command_lines(container).await;
        let mut last = lines.map_err(|fault| fault.to_string());
        if let Ok(lines) = &mut last {
            lines.sort();
            if lines == expected {
                return;
            }
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not {expected:?} but {last:?}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs a script to its end and returns what it wrote.
pub(crate) async fn output_of(pod: Value, container: &str) -> String {
    let bench = Bench::new();
    let pod = bench.create(pod).await;
    until_exited(&*pod, container).await;
    let text = log(&*pod, container).await;
    pod.remove().await.expect("removed");
    text
}

/// The events of one container without their times.
pub(crate) fn events_of(pod: &dyn Pod, container: &str) -> Vec<LifecycleEvent> {
    pod.timeline()
        .into_iter()
        .filter(|event| event.container.as_deref() == Some(container))
        .map(|event| event.event)
        .collect()
}

pub(crate) fn utf8(path: &std::path::Path) -> Utf8PathBuf {
    Utf8PathBuf::try_from(path.to_path_buf()).expect("UTF-8")
}

/// Returns the processes of the machine whose command line starts so.
pub(crate) fn processes_on_this_machine(text: &str) -> Vec<nix::unistd::Pid> {
    let entries = std::fs::read_dir("/proc").expect("a process table");
    entries
        .filter_map(Result::ok)
        .filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                String::from_utf8_lossy(&line)
                    .replace('\0', " ")
                    .starts_with(text)
            })
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(nix::unistd::Pid::from_raw)
        .collect()
}

/// Tells whether a process whose command line starts so runs on the machine.
pub(crate) fn runs_on_this_machine(text: &str) -> bool {
    !processes_on_this_machine(text).is_empty()
}

/// Waits until no process whose command line starts so runs on the machine.
pub(crate) async fn until_nothing_runs(text: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while runs_on_this_machine(text) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "`{text}` still runs"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The names in the host's shared memory, which no pod may touch.
pub(crate) fn shared_memory() -> Vec<std::ffi::OsString> {
    let Ok(entries) = std::fs::read_dir("/dev/shm") else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    names
}
