//! A cluster that this process makes: its record comes before it and goes after it, and it goes with the process unless it is released.

use camino::{Utf8Path, Utf8PathBuf};

use crate::EnvironmentFault;
use crate::kube::api::image_names::ImageNames;
use crate::kube::api::ownership::Owner;
use crate::kube::cluster::choice::ClusterNodes;
use crate::kube::cluster::keeping::Keeping;
use crate::kube::cluster::owner_record::write_record;
use crate::kube::cluster::removal::remove_until_gone;
use crate::kube::cluster::tool::{
    ClusterTool, READ_WITHIN, REMOVED_WITHIN, load_image, make_cluster, run_tool,
};
use harness_artifacts::executable::bounded_command::{Bounds, Group, Kept, run_bounded};
use harness_artifacts::image::{ImageRole, Images};

/// A cluster that is to be made.
pub(super) struct Making<'a> {
    pub tool: ClusterTool,
    pub nodes: &'a ClusterNodes,
    pub name: &'a str,
    pub kubeconfig: Utf8PathBuf,
    pub records: &'a Utf8Path,
    pub keeping: Keeping,
}

/// What becomes of a cluster when the value that stands for it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum WhenDropped {
    /// It stays, or is gone already.
    Leave,
    /// It is removed.
    Remove,
}

/// A cluster that this process has made.
#[derive(Debug)]
pub(super) struct MadeCluster {
    tool: ClusterTool,
    name: String,
    kubeconfig: Utf8PathBuf,
    record: Option<Utf8PathBuf>,
    when_dropped: WhenDropped,
    /// How many nodes it has.
    pub(super) nodes: u8,
}

impl MadeCluster {
    /// Makes a cluster.
    pub(super) async fn make(
        making: Making<'_>,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let (tool, nodes) = (making.tool, making.nodes);
        let mut made = Self {
            tool,
            kubeconfig: making.kubeconfig,
            record: None,
            when_dropped: WhenDropped::Leave,
            name: making.name.into(),
            nodes: nodes.count.unwrap_or(1),
        };
        if making.keeping == Keeping::Remove {
            // Before the cluster: whenever this process ends, the next run finds what it has made.
            let written = write_record(making.records, tool, &made.name, &Owner::this_process());
            made.record = Some(written.map_err(|source| EnvironmentFault::Io {
                action: "write down which cluster is made".into(),
                source,
            })?);
            made.when_dropped = WhenDropped::Remove;
        }
        let of_image = nodes
            .image
            .as_ref()
            .map(|image| format!(" of {image}"))
            .unwrap_or_default();
        say(&format!(
            "{} makes the cluster {}{of_image}",
            tool.name(),
            made.name
        ));
        match made.create(nodes).await {
            Ok(()) => Ok(made),
            Err(error) => {
                // Only the error that came first is reported.
                let _ = made.remove().await;
                Err(error)
            }
        }
    }

    async fn create(&self, nodes: &ClusterNodes) -> Result<(), EnvironmentFault> {
        make_cluster(self.tool, &self.name, nodes, &self.kubeconfig).await?;
        match self.tool {
            ClusterTool::Kind => Ok(()),
            ClusterTool::K3d => {
                let words = ["kubeconfig", "get", &self.name].map(str::to_owned);
                let text = run_tool(self.tool, "read its kubeconfig", &words, READ_WITHIN).await?;
                fs_err::write(&self.kubeconfig, text).map_err(|source| EnvironmentFault::Io {
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
        say("loading the images into the cluster");
        for role in ImageRole::ALL {
            if named.of(role).is_none() {
                load_image(self.tool, &self.name, &built.of(role).archive).await?;
            }
        }
        Ok(())
    }

    /// Returns where its address and credentials are.
    pub(super) const fn kubeconfig(&self) -> &Utf8PathBuf {
        &self.kubeconfig
    }

    /// Returns whether it goes with this process, and everything in it.
    pub(super) fn goes_with_its_owner(&self) -> bool {
        self.when_dropped == WhenDropped::Remove
    }

    /// Leaves it to whoever has its lease: it does not go with this process any more.
    pub(super) fn release(mut self) {
        if let Some(record) = &self.record {
            let _ = fs_err::remove_file(record);
        }
        self.when_dropped = WhenDropped::Leave;
    }

    /// Removes it, where it goes with this process.
    pub(super) async fn remove(&mut self) -> Result<(), EnvironmentFault> {
        if !self.goes_with_its_owner() {
            return Ok(());
        }
        // The record goes last: until the cluster is gone for certain the next run must find it.
        remove_until_gone(self.tool, &self.name, &self.kubeconfig).await?;
        self.forget();
        self.when_dropped = WhenDropped::Leave;
        Ok(())
    }

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

impl Drop for MadeCluster {
    /// Removes the cluster of a run that has not come to its end: a panic, or a set-up that was given up.
    fn drop(&mut self) {
        if !self.goes_with_its_owner() {
            return;
        }
        let bounds = Bounds {
            time: REMOVED_WITHIN,
            output: 0,
            kept: Kept::End,
            // A Ctrl-C at the terminal must not leave half of it.
            group: Group::Own,
        };
        let mut command = std::process::Command::new(self.tool.name());
        command.args(self.tool.delete(&self.name, &self.kubeconfig));
        let removed = run_bounded(&mut command, bounds);
        if removed.is_ok_and(|finished| finished.status.success()) {
            self.forget();
        }
    }
}
