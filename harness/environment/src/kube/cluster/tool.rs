//! The tools that make clusters: what they are asked, and what they answer when they cannot.

use std::time::Duration;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::EnvironmentFault;
use crate::kube::cluster::choice::ClusterNodes;
use crate::kube::command::{CommandFault, run_command};
use harness_core::model::environment_kind::EnvironmentKind;

/// How long a cluster may take to come up.
const MADE_WITHIN: Duration = Duration::from_mins(5);
/// How long an image may take to be loaded.
const LOADED_WITHIN: Duration = Duration::from_mins(3);
/// How long a tool may take to say which clusters there are.
const LISTED_WITHIN: Duration = Duration::from_secs(30);
/// How long a tool may take to say where a cluster is.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(30);
/// How long a cluster may take to be removed.
pub(in crate::kube) const REMOVED_WITHIN: Duration = Duration::from_mins(2);
/// What kind reads of a cluster's nodes.
const KIND_HEAD: &str = "\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
";
/// A kubelet may ask the API as often, and report as many events, as one of Kubernetes 1.27 does by default. Before that it was ten times less:
/// with a few pods at once its report of a container came seconds late, and the container, its log and its end were gone by then.
const KIND_KUBELET: &str = "\
kubeadmConfigPatches:
  - |
    kind: KubeletConfiguration
    kubeAPIQPS: 50
    kubeAPIBurst: 100
    eventRecordQPS: 50
    eventBurst: 100
";
/// With workers beside it kubeadm lets a control plane take no pods.
const KIND_OPEN_CONTROL_PLANE: &str = "  - |
    kind: InitConfiguration
    nodeRegistration:
      taints: []
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

    fn create(self, name: &str, nodes: &ClusterNodes, kubeconfig: &Utf8Path) -> Vec<String> {
        let agents = nodes.workers().to_string();
        let mut arguments: Vec<&str> = match self {
            Self::K3d => vec![
                "cluster",
                "create",
                name,
                "--wait",
                "--kubeconfig-update-default=false",
                "--kubeconfig-switch-context=false",
                "--agents",
                &agents,
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
        if let Some(image) = &nodes.image {
            arguments.extend(["--image", image]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Returns what its command reads from the standard input when it makes a cluster.
    fn settings(self, nodes: &ClusterNodes) -> String {
        match (self, nodes.workers()) {
            (Self::K3d, _) => String::new(),
            (Self::Kind, 0) => format!("{KIND_HEAD}{KIND_KUBELET}"),
            (Self::Kind, workers) => {
                let workers = "  - role: worker\n".repeat(usize::from(workers));
                format!(
                    "{KIND_HEAD}nodes:\n  - role: control-plane\n{workers}{KIND_KUBELET}{KIND_OPEN_CONTROL_PLANE}"
                )
            }
        }
    }

    pub(in crate::kube) fn delete(self, name: &str, kubeconfig: &Utf8Path) -> Vec<String> {
        let arguments: &[&str] = match self {
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
        arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect()
    }

    fn list(self) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::K3d => &["cluster", "list", "--no-headers"],
            Self::Kind => &["get", "clusters"],
        };
        arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect()
    }

    fn load(self, name: &str, archive: &Utf8Path) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::K3d => &["image", "import", archive.as_str(), "--cluster", name],
            Self::Kind => &["load", "image-archive", archive.as_str(), "--name", name],
        };
        arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect()
    }
}

/// Asks a tool for its clusters, so that one that is missing, or has no engine, is known of before anything is built for it.
///
/// # Errors
///
/// When it does not answer.
pub async fn try_tool(tool: ClusterTool) -> Result<(), EnvironmentFault> {
    clusters_of(tool).await.map(|_| ())
}

/// Removes a cluster by its name.
pub(super) async fn remove_made(
    tool: ClusterTool,
    name: &str,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let arguments = tool.delete(name, kubeconfig);
    run_tool(tool, "remove the cluster", &arguments, REMOVED_WITHIN)
        .await
        .map(|_| ())
}

/// Loads an image from its archive.
pub(super) async fn load_image(
    tool: ClusterTool,
    cluster: &str,
    archive: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let arguments = tool.load(cluster, archive);
    run_tool(tool, "load an image", &arguments, LOADED_WITHIN)
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
    arguments: &[String],
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    run_with_settings(tool, action, arguments, "", within).await
}

async fn run_with_settings(
    tool: ClusterTool,
    action: &str,
    arguments: &[String],
    settings: &str,
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    let ran = run_command(tool.name(), action, arguments, settings, within).await;
    ran.map_err(|fault| {
        let hint = hint_for(tool, &fault);
        fault.with_hint(hint)
    })
}

/// Makes a cluster.
pub(super) async fn make_cluster(
    tool: ClusterTool,
    name: &str,
    nodes: &ClusterNodes,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    let arguments = tool.create(name, nodes, kubeconfig);
    let settings = tool.settings(nodes);
    run_with_settings(tool, "make a cluster", &arguments, &settings, MADE_WITHIN)
        .await
        .map(|_| ())
}

fn hint_for(tool: ClusterTool, fault: &CommandFault) -> Option<String> {
    match fault {
        CommandFault::Missing { .. } => Some(format!(
            "install {}, or use a cluster of yours with `--environment existing`",
            tool.name()
        )),
        CommandFault::Failed { message, .. } => hint_for_message(message).map(Into::into),
        CommandFault::NotRun { .. } | CommandFault::TimedOut(_) => None,
    }
}

fn hint_for_message(message: &str) -> Option<&'static str> {
    let says = |text: &str| message.to_lowercase().contains(text);
    if says("docker daemon") || says("docker.sock") || says("docker ps") {
        return Some("Docker does not answer: `docker info` says why");
    }
    if says("pull") || says("not found") || says("no such image") {
        return Some("the node image cannot be had; `--node-image IMAGE` names another one");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tool_touches_the_users_kubeconfig() {
        let own = Utf8Path::new("/run/own.kubeconfig");
        let nodes = ClusterNodes {
            image: Some("i".into()),
            count: Some(3),
        };
        let kind = ClusterTool::Kind.create("n", &nodes, own).join(" ");
        assert!(kind.contains("--kubeconfig /run/own.kubeconfig"), "{kind}");
        assert!(kind.ends_with("--config - --image i"), "{kind}");
        let removed = ClusterTool::Kind.delete("n", own).join(" ");
        assert!(
            removed.contains("--kubeconfig /run/own.kubeconfig"),
            "{removed}"
        );
        let k3d = ClusterTool::K3d.create("n", &nodes, own).join(" ");
        assert!(k3d.contains("--agents 2"), "{k3d}");
        assert!(k3d.contains("--kubeconfig-update-default=false"), "{k3d}");
        assert!(k3d.contains("--kubeconfig-switch-context=false"), "{k3d}");
    }

    #[test]
    fn every_node_of_several_takes_pods_and_one_alone_is_as_kind_makes_it() {
        let settings = |count| {
            let nodes = ClusterNodes { image: None, count };
            let text = ClusterTool::Kind.settings(&nodes);
            let read: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
            (text, read)
        };
        let (one, read) = settings(None);
        assert_eq!(read["nodes"], serde_json::Value::Null);
        assert!(!one.contains("InitConfiguration"), "{one}");
        let (_, read) = settings(Some(3));
        let roles: Vec<&str> = read["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .filter_map(|node| node["role"].as_str())
            .collect();
        assert_eq!(roles, ["control-plane", "worker", "worker"]);
        let patches = read["kubeadmConfigPatches"].as_array().expect("patches");
        assert_eq!(patches.len(), 2);
        let open = patches[1].as_str().expect("a patch");
        assert!(open.contains("taints: []"), "{open}");
    }

    #[test]
    fn a_tool_that_is_missing_is_to_be_installed() {
        let missing = CommandFault::Missing {
            action: "make a cluster with kind".into(),
            name: "kind".into(),
        };
        let hint = hint_for(ClusterTool::Kind, &missing);
        assert!(hint.is_some_and(|hint| hint.starts_with("install kind")));
    }

    #[test]
    fn a_docker_that_is_down_is_named() {
        let message = "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock";
        assert!(hint_for_message(message).is_some_and(|hint| hint.contains("docker info")));
        assert_eq!(hint_for_message("something else"), None);
    }
}
