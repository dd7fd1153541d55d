//! Clusters: made and removed by `kind` or `k3d`, or somebody's own, which is never made or removed.

use camino::{Utf8Path, Utf8PathBuf};

use super::cluster_tool::{
    ClusterTool, READ_WITHIN, REMOVED_WITHIN, load_image, make_cluster, run_tool,
};
use super::connection::Source;
use super::images::ImageNames;
use super::keep::{KeptCluster, attach, remove_until_gone};
use super::labels::run_name;
use super::lease::{Lease, LeasePurpose};
use super::node_image::newest_at_hand;
use super::options::KubeOptions;
use super::ownership::Owner;
use super::run_space::Keeping;
use super::sweep::write_record;
use crate::EnvironmentFault;
use harness_artifacts::executable::bounded_command::{Bounds, Group, Kept, run_bounded};
use harness_artifacts::image::{ImageRole, Images};
use harness_core::model::environment_kind::EnvironmentKind;

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
    /// Returns which environment it is.
    pub const fn kind(&self) -> EnvironmentKind {
        match self {
            Self::Existing { .. } => EnvironmentKind::Existing,
            Self::Made { tool, .. } => tool.kind(),
        }
    }
}

/// A cluster that is to be made.
pub(super) struct Making<'a> {
    pub tool: ClusterTool,
    pub node_image: Option<&'a str>,
    pub name: &'a str,
    pub kubeconfig: Utf8PathBuf,
    pub records: &'a Utf8Path,
    pub keeping: Keeping,
}

/// A cluster that a run uses.
#[derive(Debug)]
pub(super) struct Cluster(Kind);

#[derive(Debug)]
enum Kind {
    Existing(Option<String>),
    Kept(KeptCluster),
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
        folder: &Utf8Path,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let (tool, node_image) = match &options.cluster {
            ClusterChoice::Existing { context } => {
                return Ok(Self(Kind::Existing(context.clone())));
            }
            ClusterChoice::Made { tool, node_image } => (*tool, node_image.clone()),
        };
        if options.keeping == Keeping::Remove
            && let Some(kept) = attach(tool, node_image.as_deref(), &options.leases, say).await?
        {
            return Ok(Self(Kind::Kept(kept)));
        }
        let node_image = node_image_for(tool, node_image).await;
        let node_image = node_image.as_deref();
        let name = run_name(&options.run);
        let kubeconfig = match options.keeping {
            Keeping::Remove => folder.join(format!("{name}.kubeconfig")),
            Keeping::Keep => {
                let to_look_at = LeasePurpose::ToLookAt;
                let lease = Lease::new(&name, tool, node_image, to_look_at, &options.leases);
                options.leases.write(&lease)?;
                lease.kubeconfig
            }
        };
        let making = Making {
            tool,
            node_image,
            name: &name,
            kubeconfig,
            records: &options.records,
            keeping: options.keeping,
        };
        Self::make(making, say).await
    }

    /// Makes a cluster.
    pub(super) async fn make(
        making: Making<'_>,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<Self, EnvironmentFault> {
        let (tool, node_image) = (making.tool, making.node_image);
        let mut made = MadeCluster {
            tool,
            kubeconfig: making.kubeconfig,
            record: None,
            keeping: making.keeping,
            name: making.name.into(),
        };
        if making.keeping == Keeping::Remove {
            // Before the cluster: whenever this process ends, the next run finds what it has made.
            let written = write_record(making.records, tool, &made.name, &Owner::this_process());
            made.record = Some(written.map_err(|source| EnvironmentFault::Io {
                action: "write down which cluster is made".into(),
                source,
            })?);
        }
        let of_image = node_image
            .map(|image| format!(" of {image}"))
            .unwrap_or_default();
        say(&format!(
            "{} makes the cluster {}{of_image}",
            tool.name(),
            made.name
        ));
        let mut cluster = Self(Kind::Made(made));
        match cluster.create(node_image).await {
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
        make_cluster(made.tool, &made.name, node_image, &made.kubeconfig).await?;
        match made.tool {
            ClusterTool::Kind => Ok(()),
            ClusterTool::K3d => {
                let words = ["kubeconfig", "get", &made.name].map(str::to_owned);
                let text = run_tool(made.tool, "read its kubeconfig", &words, READ_WITHIN).await?;
                fs_err::write(&made.kubeconfig, text).map_err(|source| EnvironmentFault::Io {
                    action: "write the cluster's kubeconfig".into(),
                    source,
                })
            }
        }
    }

    /// Loads the images that the user has not named others for.
    pub(super) async fn load(
        &mut self,
        built: &Images,
        named: &ImageNames,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<(), EnvironmentFault> {
        match &mut self.0 {
            Kind::Existing(_) | Kind::Removed => Ok(()),
            Kind::Kept(kept) => kept.load_what_changed(built, named, say).await,
            Kind::Made(made) => {
                say("loading the images into the cluster");
                for role in ImageRole::ALL {
                    if named.of(role).is_none() {
                        load_image(made.tool, &made.name, &built.of(role).archive).await?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Tells whether images that are built here are on its nodes once they are loaded.
    pub(super) fn takes_archives(&self) -> bool {
        match &self.0 {
            Kind::Kept(_) | Kind::Made(_) => true,
            Kind::Existing(_) | Kind::Removed => false,
        }
    }

    /// Leaves a cluster that was made to whoever has its lease: it does not go with this process any more.
    pub(super) fn release(mut self) {
        let released = std::mem::replace(&mut self.0, Kind::Removed);
        if let Kind::Made(MadeCluster {
            record: Some(record),
            ..
        }) = released
        {
            let _ = fs_err::remove_file(record);
        }
    }

    /// Returns where its address and credentials are.
    pub(super) fn source(&self) -> Source {
        match &self.0 {
            Kind::Existing(context) => Source::Context(context.clone()),
            Kind::Kept(kept) => Source::File(kept.lease.kubeconfig.clone()),
            Kind::Made(made) => Source::File(made.kubeconfig.clone()),
            Kind::Removed => Source::Context(None),
        }
    }

    /// Adds to a fault of the way to the cluster what can be done about one that is kept.
    pub(super) fn explain(&self, fault: EnvironmentFault) -> EnvironmentFault {
        match (fault, &self.0) {
            (EnvironmentFault::Cluster { action, detail, .. }, Kind::Kept(kept)) => {
                EnvironmentFault::Cluster {
                    action,
                    detail,
                    hint: Some(format!(
                        "the cluster {} is kept between runs and does not answer; `conformance down` removes it",
                        kept.lease.name
                    )),
                }
            }
            (fault, _) => fault,
        }
    }

    /// Tells whether the cluster goes with the run, and everything in it.
    pub(super) fn goes_with_the_run(&self) -> bool {
        match &self.0 {
            Kind::Made(made) => made.keeping == Keeping::Remove,
            Kind::Existing(_) | Kind::Kept(_) | Kind::Removed => false,
        }
    }

    /// Removes a cluster that was made for the run. Another one stays.
    pub(super) async fn remove(&mut self) -> Result<(), EnvironmentFault> {
        if !self.goes_with_the_run() {
            return Ok(());
        }
        if let Kind::Made(made) = &self.0 {
            // The record goes last: until the cluster is gone for certain the next run must find it.
            remove_until_gone(made.tool, &made.name, &made.kubeconfig).await?;
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
            let bounds = Bounds {
                time: REMOVED_WITHIN,
                output: 0,
                kept: Kept::End,
                // A Ctrl-C at the terminal must not leave half of it.
                group: Group::Own,
            };
            let mut command = std::process::Command::new(made.tool.name());
            command.args(made.tool.delete(&made.name, &made.kubeconfig));
            let removed = run_bounded(&mut command, bounds);
            if removed.is_ok_and(|finished| finished.status.success()) {
                made.forget();
            }
        }
    }
}

/// Returns the image of the nodes: the one that the user names, else one that is at hand; none where the tool's own choice applies.
pub(super) async fn node_image_for(tool: ClusterTool, named: Option<String>) -> Option<String> {
    match named {
        Some(named) => Some(named),
        None => newest_at_hand(tool).await,
    }
}
