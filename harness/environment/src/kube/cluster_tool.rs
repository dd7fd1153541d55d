//! The tools that make clusters: what they are told, and what they say when they cannot.

use std::process::{Output, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::EnvironmentFault;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::timeouts::TimedOut;

/// How long a cluster may take to come up.
const MADE_WITHIN: Duration = Duration::from_mins(5);
/// How long an image may take to be loaded.
const LOADED_WITHIN: Duration = Duration::from_mins(3);
/// How long a tool may take to say which clusters there are.
const LISTED_WITHIN: Duration = Duration::from_secs(30);
/// How long a tool may take to say where a cluster is.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(30);
/// How long a cluster may take to be removed.
pub(super) const REMOVED_WITHIN: Duration = Duration::from_mins(2);
/// How much of what a tool says is shown, in bytes.
const SHOWN_BYTES: usize = 2048;

/// A kubelet may ask the API as often, and tell of as many events, as one of Kubernetes 1.27 does by default. Before that it was ten times less:
/// with a few pods at once its word of a container came seconds late, and the container, its log and its end were gone by then.
const KIND_SETTINGS: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
kubeadmConfigPatches:
  - |
    kind: KubeletConfiguration
    kubeAPIQPS: 50
    kubeAPIBurst: 100
    eventRecordQPS: 50
    eventBurst: 100
";

/// What makes clusters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterTool {
    /// k3s in Docker.
    K3d,
    /// Kubernetes in Docker.
    Kind,
}

impl ClusterTool {
    /// Every tool.
    pub const ALL: [Self; 2] = [Self::Kind, Self::K3d];

    /// Returns the name of its command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::K3d => "k3d",
            Self::Kind => "kind",
        }
    }

    /// Returns which environment the clusters are that it makes.
    pub const fn kind(self) -> EnvironmentKind {
        match self {
            Self::K3d => EnvironmentKind::K3d,
            Self::Kind => EnvironmentKind::Kind,
        }
    }

    fn create(self, name: &str, image: Option<&str>, kubeconfig: &Utf8Path) -> Vec<String> {
        let mut words: Vec<&str> = match self {
            Self::K3d => vec![
                "cluster",
                "create",
                name,
                "--wait",
                "--kubeconfig-update-default=false",
                "--kubeconfig-switch-context=false",
            ],
            Self::Kind => vec![
                "create",
                "cluster",
                "--name",
                name,
                "--wait",
                "120s",
                "--kubeconfig",
                kubeconfig.as_str(),
                "--config",
                "-",
            ],
        };
        if let Some(image) = image {
            words.extend(["--image", image]);
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// Returns what its command reads from the standard input when it makes a cluster.
    const fn settings(self) -> &'static str {
        match self {
            Self::K3d => "",
            Self::Kind => KIND_SETTINGS,
        }
    }

    pub(super) fn delete(self, name: &str, kubeconfig: &Utf8Path) -> Vec<String> {
        let words: &[&str] = match self {
            Self::K3d => &["cluster", "delete", name],
            Self::Kind => &[
                "delete",
                "cluster",
                "--name",
                name,
                "--kubeconfig",
                kubeconfig.as_str(),
            ],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn list(self) -> Vec<String> {
        let words: &[&str] = match self {
            Self::K3d => &["cluster", "list", "--no-headers"],
            Self::Kind => &["get", "clusters"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn load(self, name: &str, archive: &Utf8Path) -> Vec<String> {
        let words: &[&str] = match self {
            Self::K3d => &["image", "import", archive.as_str(), "--cluster", name],
            Self::Kind => &["load", "image-archive", archive.as_str(), "--name", name],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// Removes a cluster by its name.
pub(super) async fn remove_made(
    tool: ClusterTool,
    name: &str,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let words = tool.delete(name, kubeconfig);
    run_tool(tool, "remove the cluster", &words, REMOVED_WITHIN)
        .await
        .map(|_| ())
}

/// Loads an image from its archive.
pub(super) async fn load_image(
    tool: ClusterTool,
    cluster: &str,
    archive: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let words = tool.load(cluster, archive);
    run_tool(tool, "load an image", &words, LOADED_WITHIN)
        .await
        .map(|_| ())
}

/// Returns the names of the clusters that a tool knows.
pub(super) async fn clusters_of(tool: ClusterTool) -> Result<Vec<String>, EnvironmentFault> {
    let output = run_tool(tool, "list the clusters", &tool.list(), LISTED_WITHIN).await?;
    let names = String::from_utf8_lossy(&output)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    Ok(names)
}

pub(super) async fn run_tool(
    tool: ClusterTool,
    action: &str,
    words: &[String],
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    run_command(tool.name(), action, words, within).await
}

/// Makes a cluster.
pub(super) async fn make_cluster(
    tool: ClusterTool,
    name: &str,
    image: Option<&str>,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let words = tool.create(name, image, kubeconfig);
    let action = "make a cluster";
    run_command_with_input(tool.name(), action, &words, tool.settings(), MADE_WITHIN)
        .await
        .map(|_| ())
}

/// Runs a program to its end and returns what it wrote to standard output.
pub(super) async fn run_command(
    name: &str,
    action: &str,
    words: &[String],
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    run_command_with_input(name, action, words, "", within).await
}

/// Runs a program as [`run_command`] does. The input is shorter than what a pipe holds.
async fn run_command_with_input(
    name: &str,
    action: &str,
    words: &[String],
    input: &str,
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    let refused = |detail: String, hint: Option<String>| EnvironmentFault::Cluster {
        action: format!("{action} with {name}"),
        detail,
        hint,
    };
    let is_cluster_tool = ClusterTool::ALL.iter().any(|tool| tool.name() == name);
    let child = Command::new(name)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal is the harness's to handle.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let finished = match child {
        Ok(mut child) => {
            if let Some(mut stdin) = child.stdin.take() {
                // A program that ends without reading it says itself why.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            await_end(child, within).await
        }
        Err(error) => Ok(Err(error)),
    };
    let output = match finished {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refused(
                format!("there is no command `{name}`"),
                is_cluster_tool.then(|| {
                    format!(
                        "install {name}, or use a cluster of yours with `--environment existing`"
                    )
                }),
            ));
        }
        Ok(Err(error)) => return Err(refused(error.to_string(), None)),
        Err(_) => {
            return Err(TimedOut {
                waited_for: format!("{name} to {action}"),
                budget: within.into(),
                last_seen: "it still ran, and was ended".into(),
            }
            .into());
        }
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = tail(&output.stderr);
    let hint = is_cluster_tool.then(|| hint_for(&words)).flatten();
    let hint = hint.map(Into::into);
    Err(refused(format!("{}: {words}", output.status), hint))
}

/// Waits for a program's end. When its time is over, or nobody waits any more, what it has started in its group ends with it: a tool that is
/// killed alone leaves the engine's client at work.
async fn await_end(child: Child, within: Duration) -> Result<std::io::Result<Output>, Elapsed> {
    let leader = child.id();
    let mut waiting = std::pin::pin!(child.wait_with_output());
    // It goes before the child does: until that has been waited for, the group's number is nobody else's.
    let mut group = OwnGroup(leader);
    let finished = timeout(within, &mut waiting).await;
    if finished.is_ok() {
        group.0 = None;
    }
    finished
}

/// The group of a program that is not let live.
struct OwnGroup(Option<u32>);

impl Drop for OwnGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.0.and_then(|leader| i32::try_from(leader).ok()) {
            // It may have ended just now.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

fn hint_for(words: &str) -> Option<&'static str> {
    let says = |text: &str| words.to_lowercase().contains(text);
    if says("docker daemon") || says("docker.sock") || says("docker ps") {
        return Some("Docker does not answer: `docker info` says why");
    }
    if says("pull") || says("not found") || says("no such image") {
        return Some("the node image cannot be had; `--node-image IMAGE` names another one");
    }
    None
}

fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(SHOWN_BYTES);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tool_touches_the_users_kubeconfig() {
        let own = Utf8Path::new("/run/own.kubeconfig");
        let kind = ClusterTool::Kind.create("n", Some("i"), own).join(" ");
        assert!(kind.contains("--kubeconfig /run/own.kubeconfig"), "{kind}");
        assert!(kind.ends_with("--config - --image i"), "{kind}");
        let removed = ClusterTool::Kind.delete("n", own).join(" ");
        assert!(
            removed.contains("--kubeconfig /run/own.kubeconfig"),
            "{removed}"
        );
        let k3d = ClusterTool::K3d.create("n", None, own).join(" ");
        assert!(k3d.contains("--kubeconfig-update-default=false"), "{k3d}");
        assert!(k3d.contains("--kubeconfig-switch-context=false"), "{k3d}");
    }

    #[tokio::test]
    async fn what_a_program_has_started_ends_with_its_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("child");
        let script = format!("sleep 300 & echo $! > '{}'; wait", path.display());
        let words = ["-c".to_owned(), script];
        let error = run_command("sh", "wait", &words, Duration::from_secs(1))
            .await
            .expect_err("it hangs");
        assert!(matches!(error, EnvironmentFault::TimedOut(_)), "{error}");
        let child = fs_err::read_to_string(&path).expect("the child was started");
        let stat = format!("/proc/{}/stat", child.trim());
        // The kernel takes its time to end a process that it was told to kill.
        let ended = async {
            while fs_err::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), ended)
            .await
            .expect("the child still runs");
    }

    #[tokio::test]
    async fn a_program_reads_its_input_to_the_end() {
        let within = Duration::from_secs(30);
        let said = run_command_with_input("cat", "read", &[], KIND_SETTINGS, within).await;
        assert_eq!(said.expect("it ends"), KIND_SETTINGS.as_bytes());
        let said = run_command("cat", "read", &[], within).await;
        assert_eq!(said.expect("it ends"), b"");
    }

    #[tokio::test]
    async fn what_a_program_says_is_returned_and_its_failure_told() {
        let words = [
            "-c".to_owned(),
            "echo said; echo why >&2; exit $0".to_owned(),
        ];
        let run = async |code: &str| {
            let words = [&words[..], &[code.to_owned()]].concat();
            run_command("sh", "speak", &words, Duration::from_secs(30)).await
        };
        assert_eq!(run("0").await.expect("it ends well"), b"said\n");
        let error = run("3").await.expect_err("it failed").to_string();
        assert!(error.ends_with(": why"), "{error}");
    }

    #[test]
    fn a_docker_that_is_down_is_named() {
        let words = "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock";
        assert!(hint_for(words).is_some_and(|hint| hint.contains("docker info")));
        assert_eq!(hint_for("something else"), None);
    }
}
