//! Clusters: made and removed by `kind` or `k3d`, or somebody's own, which is never made or removed.

use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use tokio::process::Command;
use tokio::time::timeout;

use super::connection::Source;
use super::environment::KubeOptions;
use super::images::ImageNames;
use super::labels::run_name;
use super::node_image::newest_at_hand;
use super::ownership::Owner;
use super::run_space::Keeping;
use crate::environment::EnvironmentFault;
use crate::image::{ImageRole, Images};
use crate::model::timeouts::TimedOut;

/// How long a cluster may take to come up.
const MADE_WITHIN: Duration = Duration::from_mins(5);
/// How long an image may take to be loaded.
const LOADED_WITHIN: Duration = Duration::from_mins(3);
/// How long a cluster may take to be removed.
const REMOVED_WITHIN: Duration = Duration::from_mins(2);
/// How much of what a tool says is shown, in bytes.
const SHOWN_BYTES: usize = 2048;

/// Which cluster a run uses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClusterChoice {
    /// A cluster of the user's, by a context of the kubeconfig; the current one when none is named.
    Existing {
        /// The context.
        context: Option<String>,
    },
    /// A cluster that is made for the run.
    Made {
        /// What makes it.
        tool: ClusterTool,
        /// The image of its nodes; when none is named, the newest that Docker already has, else the tool's own choice.
        node_image: Option<String>,
    },
}

impl ClusterChoice {
    /// Returns the environment's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Existing { .. } => "existing",
            Self::Made { tool, .. } => tool.name(),
        }
    }
}

/// What makes clusters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
            ],
        };
        if let Some(image) = image {
            words.extend(["--image", image]);
        }
        words.into_iter().map(str::to_owned).collect()
    }

    fn delete(self, name: &str, kubeconfig: &Utf8Path) -> Vec<String> {
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

    fn load(self, name: &str, archive: &Utf8Path) -> Vec<String> {
        let words: &[&str] = match self {
            Self::K3d => &["image", "import", archive.as_str(), "--cluster", name],
            Self::Kind => &["load", "image-archive", archive.as_str(), "--name", name],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// A cluster that a run uses.
#[derive(Debug)]
pub(super) struct Cluster(Kind);

#[derive(Debug)]
enum Kind {
    Existing(Option<String>),
    Made(MadeCluster),
    Removed,
}

#[derive(Debug)]
struct MadeCluster {
    tool: ClusterTool,
    name: String,
    kubeconfig: Utf8PathBuf,
    record: Option<Utf8PathBuf>,
    keeping: Keeping,
}

impl MadeCluster {
    /// Removes what this machine keeps of a cluster that is gone: its credentials, and the record of its owner.
    fn forget(&self) {
        let _ = fs_err::remove_file(&self.kubeconfig);
        if let Some(folder) = self.kubeconfig.parent() {
            let _ = fs_err::remove_dir(folder);
        }
        if let Some(record) = &self.record {
            let _ = fs_err::remove_file(record);
        }
    }
}

impl Cluster {
    /// Makes the cluster where it is to be made.
    pub(super) async fn have(
        options: &KubeOptions,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let (tool, node_image) = match &options.cluster {
            ClusterChoice::Existing { context } => {
                return Ok(Self(Kind::Existing(context.clone())));
            }
            ClusterChoice::Made { tool, node_image } => (*tool, node_image.clone()),
        };
        let node_image = match node_image {
            Some(named) => Some(named),
            None => newest_at_hand(tool).await,
        };
        let name = run_name(&options.run);
        let io = |action: &str| {
            let action = action.to_owned();
            move |source| EnvironmentFault::Io { action, source }
        };
        fs_err::create_dir_all(&options.folder).map_err(io("make the run's folder"))?;
        let mut made = MadeCluster {
            tool,
            kubeconfig: options.folder.join(format!("{name}.kubeconfig")),
            record: None,
            keeping: options.keeping,
            name,
        };
        if options.keeping == Keeping::Remove {
            // Before the cluster: whenever this process ends, the next run finds what it has made.
            fs_err::create_dir_all(&options.records).map_err(io("make the folder of clusters"))?;
            let record = options
                .records
                .join(format!("{}.{}", made.name, tool.name()));
            fs_err::write(&record, Owner::this_process().to_string())
                .map_err(io("write down which cluster is made"))?;
            made.record = Some(record);
        }
        let of_image = node_image
            .as_deref()
            .map(|image| format!(" of {image}"))
            .unwrap_or_default();
        say(&format!(
            "{} makes the cluster {}{of_image}",
            tool.name(),
            made.name
        ));
        let mut cluster = Self(Kind::Made(made));
        match cluster.create(node_image.as_deref()).await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                // Only the error that came first is told.
                let _ = cluster.remove().await;
                Err(error)
            }
        }
    }

    async fn create(&self, node_image: Option<&str>) -> Result<(), EnvironmentFault> {
        let Kind::Made(made) = &self.0 else {
            return Ok(());
        };
        let words = made.tool.create(&made.name, node_image, &made.kubeconfig);
        run_tool(made.tool, "make a cluster", &words, MADE_WITHIN).await?;
        match made.tool {
            ClusterTool::Kind => Ok(()),
            ClusterTool::K3d => {
                let words = ["kubeconfig", "get", &made.name].map(str::to_owned);
                let text =
                    run_tool(made.tool, "read its kubeconfig", &words, REMOVED_WITHIN).await?;
                fs_err::write(&made.kubeconfig, text).map_err(|source| EnvironmentFault::Io {
                    action: "write the cluster's kubeconfig".into(),
                    source,
                })
            }
        }
    }

    /// Loads the images that the user has not named others for.
    pub(super) async fn load(
        &self,
        built: &Images,
        named: &ImageNames,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<(), EnvironmentFault> {
        let Kind::Made(made) = &self.0 else {
            return Ok(());
        };
        say("loading the images into the cluster");
        for role in ImageRole::ALL {
            if named.of(role).is_none() {
                let words = made.tool.load(&made.name, &built.of(role).archive);
                run_tool(made.tool, "load an image", &words, LOADED_WITHIN).await?;
            }
        }
        Ok(())
    }

    /// Returns where its address and credentials are.
    pub(super) fn source(&self) -> Source {
        match &self.0 {
            Kind::Existing(context) => Source::Context(context.clone()),
            Kind::Made(made) => Source::File(made.kubeconfig.clone()),
            Kind::Removed => Source::Context(None),
        }
    }

    /// Tells whether the cluster goes with the run, and everything in it.
    pub(super) fn goes_with_the_run(&self) -> bool {
        match &self.0 {
            Kind::Made(made) => made.keeping == Keeping::Remove,
            Kind::Existing(_) | Kind::Removed => false,
        }
    }

    /// Removes a cluster that was made for the run. Another one stays.
    pub(super) async fn remove(&mut self) -> Result<(), EnvironmentFault> {
        if !self.goes_with_the_run() {
            return Ok(());
        }
        if let Kind::Made(made) = &self.0 {
            remove_made(made.tool, &made.name, &made.kubeconfig).await?;
            made.forget();
        }
        self.0 = Kind::Removed;
        Ok(())
    }
}

impl Drop for Cluster {
    /// Removes the cluster of a run that has not come to its end: a panic, or a set-up that was given up.
    fn drop(&mut self) {
        if !self.goes_with_the_run() {
            return;
        }
        if let Kind::Made(made) = &self.0 {
            let removed = std::process::Command::new(made.tool.name())
                .args(made.tool.delete(&made.name, &made.kubeconfig))
                .stdin(Stdio::null())
                .output();
            if removed.is_ok_and(|output| output.status.success()) {
                made.forget();
            }
        }
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

/// Runs a tool to its end and returns what it wrote to standard output.
async fn run_tool(
    tool: ClusterTool,
    action: &str,
    words: &[String],
    within: Duration,
) -> Result<Vec<u8>, EnvironmentFault> {
    let name = tool.name();
    let refused = |detail: String, hint: Option<String>| EnvironmentFault::Cluster {
        action: format!("{action} with {name}"),
        detail,
        hint,
    };
    let output = Command::new(name)
        .args(words)
        .stdin(Stdio::null())
        // A Ctrl-C at the terminal is the harness's to handle.
        .process_group(0)
        .kill_on_drop(true)
        .output();
    let output = match timeout(within, output).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refused(
                format!("there is no command `{name}`"),
                Some(format!(
                    "install {name}, or use a cluster of yours with `--environment existing`"
                )),
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
    let hint = hint_for(&words).map(Into::into);
    Err(refused(format!("{}: {words}", output.status), hint))
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
        assert!(kind.ends_with("--image i"), "{kind}");
        let removed = ClusterTool::Kind.delete("n", own).join(" ");
        assert!(
            removed.contains("--kubeconfig /run/own.kubeconfig"),
            "{removed}"
        );
        let k3d = ClusterTool::K3d.create("n", None, own).join(" ");
        assert!(k3d.contains("--kubeconfig-update-default=false"), "{k3d}");
        assert!(k3d.contains("--kubeconfig-switch-context=false"), "{k3d}");
    }

    #[test]
    fn a_docker_that_is_down_is_named() {
        let words = "ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock";
        assert!(hint_for(words).is_some_and(|hint| hint.contains("docker info")));
        assert_eq!(hint_for("something else"), None);
    }
}
