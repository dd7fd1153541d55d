//! Keeps clusters between runs: `up` makes one and writes its lease, runs attach to it, `down` and the sweep remove it.

use std::time::Duration;

use camino::Utf8Path;
use jiff::Timestamp;

use super::cluster::{Cluster, Making, node_image_for};
use super::cluster_tool::{ClusterTool, clusters_of, load_image, remove_made};
use super::images::ImageNames;
use super::labels::run_name;
use super::lease::{Lease, LeaseError, LeasePurpose, LoadedImage};
use super::lease_folder::{InUse, LeaseFolder};
use super::run_space::Keeping;
use super::tool_processes::end_tools_of;
use crate::EnvironmentFault;
use crate::polling::Polling;
use harness_artifacts::image::{ImageRole, Images};
use harness_core::model::identity::RunId;
use harness_core::model::timeouts::TimedOut;
use harness_core::model::timespan::TimeSpan;

/// How long a cluster may take to be gone from its tool's list.
const GONE_WITHIN: Duration = Duration::from_mins(1);
/// How often the list is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A cluster that a run uses and does not remove.
#[derive(Debug)]
pub(super) struct KeptCluster {
    pub lease: Lease,
    folder: LeaseFolder,
    _in_use: InUse,
}

/// What `up` is told.
#[derive(Debug)]
pub struct UpOptions {
    /// What makes the cluster.
    pub tool: ClusterTool,
    /// The image of its nodes; the tool's own choice when none is named.
    pub node_image: Option<String>,
    /// How long it is kept from now on.
    pub lasting: TimeSpan,
    /// The id that its name carries.
    pub run: RunId,
    /// The images that are loaded.
    pub built: Images,
    /// The folder of leases.
    pub leases: LeaseFolder,
    /// The folder that tells later runs which clusters are whose.
    pub records: camino::Utf8PathBuf,
}

/// What `up` has come to.
#[derive(Debug)]
pub enum Raised {
    /// A cluster was made.
    Made(Lease),
    /// One was there, and is kept for longer.
    WasThere(Lease),
}

/// Which kept clusters `down` removes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removal {
    /// Those of `up`, and those that `run --keep` left.
    All,
    /// Those of `up`.
    OfUp,
}

/// What `down` has done.
#[derive(Debug, Default)]
pub struct Removed {
    /// The clusters that are gone.
    pub removed: Vec<String>,
    /// The clusters that `run --keep` left and that stay.
    pub left: Vec<String>,
}

/// Asks a tool for its clusters, so that one that is missing, or has no engine, is known of before anything is built for it.
///
/// # Errors
///
/// When it does not answer.
pub async fn try_tool(tool: ClusterTool) -> Result<(), EnvironmentFault> {
    clusters_of(tool).await.map(|_| ())
}

/// Makes a cluster that runs attach to, with the images in it, or keeps the one that there is for longer.
///
/// # Errors
///
/// When the cluster cannot be made or reached, or the images cannot be loaded. What was made until then is removed.
pub async fn up(
    options: UpOptions,
    say: &(impl Fn(&str) + Sync),
) -> Result<Raised, EnvironmentFault> {
    let UpOptions {
        tool, ref leases, ..
    } = options;
    let until = Timestamp::now()
        .checked_add(options.lasting.as_duration())
        .map_err(|error| EnvironmentFault::Unsuitable {
            reason: format!(
                "no clock shows the moment {} from now: {error}",
                options.lasting
            ),
            hint: "keep it for a shorter time".into(),
        })?;
    let purpose = LeasePurpose::ForRunsUntil(until);
    sweep_leases(leases, &[tool]).await?;
    let node_image = options.node_image.as_deref();
    if let Some(mut kept) = attach(tool, node_image, leases, say).await? {
        kept.load_what_changed(&options.built, &ImageNames::default(), say)
            .await?;
        kept.lease.purpose = purpose;
        leases.write(&kept.lease)?;
        return Ok(Raised::WasThere(kept.lease));
    }
    if let Some(other) = leases.for_runs(tool)? {
        return Err(EnvironmentFault::Cluster {
            action: format!("keep another cluster of {} between runs", tool.name()),
            detail: format!("{} is kept already, with other nodes", other.name),
            hint: Some("`conformance down` removes it".into()),
        });
    }
    let node_image = node_image_for(tool, options.node_image).await;
    let node_image = node_image.as_deref();
    let name = run_name(&options.run);
    let mut lease = Lease::new(&name, tool, node_image, purpose, leases);
    leases.make()?;
    let making = Making {
        tool,
        node_image,
        name: &name,
        kubeconfig: lease.kubeconfig.clone(),
        records: &options.records,
        keeping: Keeping::Remove,
    };
    let mut cluster = Cluster::make(making, say).await?;
    let filled = cluster
        .load(&options.built, &ImageNames::default(), say)
        .await;
    let written = filled.and_then(|()| {
        for role in ImageRole::ALL {
            lease.images.insert(role, loaded(&options.built, role));
        }
        Ok(leases.write(&lease)?)
    });
    match written {
        Ok(()) => {
            cluster.release();
            Ok(Raised::Made(lease))
        }
        Err(error) => {
            // Only the error that came first is told.
            let _ = cluster.remove().await;
            Err(error)
        }
    }
}

/// Removes kept clusters, of one tool or of all.
///
/// # Errors
///
/// When a cluster is in use by a run, or cannot be removed.
pub async fn down(
    leases: &LeaseFolder,
    tool: Option<ClusterTool>,
    removal: Removal,
) -> Result<Removed, EnvironmentFault> {
    let mut done = Removed::default();
    let list = leases.list()?.into_iter();
    for lease in list.filter(|lease| tool.is_none_or(|tool| tool == lease.tool)) {
        match (lease.purpose, removal) {
            (LeasePurpose::ToLookAt, Removal::OfUp) => done.left.push(lease.name),
            (LeasePurpose::ToLookAt, Removal::All) | (LeasePurpose::ForRunsUntil(_), _) => {
                let _alone = leases.alone(&lease)?;
                remove_until_gone(lease.tool, &lease.name, &lease.kubeconfig).await?;
                leases.forget(&lease)?;
                done.removed.push(lease.name);
            }
        }
    }
    Ok(done)
}

/// Removes the clusters whose leases are over and that no run uses, and the leases whose clusters are gone; returns their names.
///
/// # Errors
///
/// When a lease is broken or a cluster cannot be removed.
pub async fn sweep_leases(
    leases: &LeaseFolder,
    tools: &[ClusterTool],
) -> Result<Vec<String>, EnvironmentFault> {
    let mut removed = Vec::new();
    for tool in tools {
        let list = leases.list()?.into_iter();
        let of_tool: Vec<Lease> = list.filter(|lease| lease.tool == *tool).collect();
        if of_tool.is_empty() {
            continue;
        }
        let known = clusters_of(*tool).await?;
        for lease in of_tool {
            let is_there = known.contains(&lease.name);
            if is_there && !lease.is_over(Timestamp::now()) {
                continue;
            }
            let _alone = match leases.alone(&lease) {
                Ok(alone) => alone,
                // The run that uses it was told until when; a later sweep finds it again.
                Err(LeaseError::InUse { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            if is_there {
                remove_until_gone(lease.tool, &lease.name, &lease.kubeconfig).await?;
            }
            leases.forget(&lease)?;
            removed.push(lease.name);
        }
    }
    Ok(removed)
}

/// Takes the kept cluster of a tool into use, where there is one with these nodes.
pub(super) async fn attach(
    tool: ClusterTool,
    node_image: Option<&str>,
    leases: &LeaseFolder,
    say: &(impl Fn(&str) + Sync),
) -> Result<Option<KeptCluster>, EnvironmentFault> {
    let Some(lease) = leases.for_runs(tool)? else {
        return Ok(None);
    };
    if node_image.is_some_and(|image| lease.node_image.as_deref() != Some(image)) {
        say(&format!(
            "the kept cluster {} has other nodes and is not used",
            lease.name
        ));
        return Ok(None);
    }
    let in_use = match leases.share(&lease) {
        Ok(in_use) => in_use,
        // It is being removed in this moment.
        Err(LeaseError::InUse { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !leases.has(&lease.name) {
        return Ok(None);
    }
    if !clusters_of(tool).await?.contains(&lease.name) {
        leases.forget(&lease)?;
        say(&format!("the kept cluster {} is gone", lease.name));
        return Ok(None);
    }
    say(&format!(
        "using the cluster {}, which `conformance up` has made; `conformance down` removes it",
        lease.name
    ));
    Ok(Some(KeptCluster {
        lease,
        folder: leases.clone(),
        _in_use: in_use,
    }))
}

impl KeptCluster {
    /// Loads the images that are not in the cluster yet, and writes down that they are.
    pub(super) async fn load_what_changed(
        &mut self,
        built: &Images,
        named: &ImageNames,
        say: &(impl Fn(&str) + Sync),
    ) -> Result<(), EnvironmentFault> {
        for role in to_load(&self.lease, built, named) {
            say(&format!("loading the image of the {role}: it has changed"));
            let archive = &built.of(role).archive;
            load_image(self.lease.tool, &self.lease.name, archive).await?;
            self.lease.images.insert(role, loaded(built, role));
            self.folder.write(&self.lease)?;
        }
        Ok(())
    }
}

fn to_load(lease: &Lease, built: &Images, named: &ImageNames) -> Vec<ImageRole> {
    ImageRole::ALL
        .into_iter()
        .filter(|role| named.of(*role).is_none())
        .filter(|role| lease.images.get(role) != Some(&loaded(built, *role)))
        .collect()
}

fn loaded(built: &Images, role: ImageRole) -> LoadedImage {
    let image = built.of(role);
    LoadedImage {
        name: image.name.clone(),
        digest: image.digest.clone(),
    }
}

/// Removes a cluster, and whatever is still at work on it for a harness that is gone.
pub(super) async fn remove_until_gone(
    tool: ClusterTool,
    name: &str,
    kubeconfig: &Utf8Path,
) -> Result<(), EnvironmentFault> {
    end_tools_of(name)
        .await
        .map_err(|source| EnvironmentFault::Io {
            action: format!("end what still works on the cluster {name}"),
            source,
        })?;
    let mut polling = Polling::within(GONE_WITHIN, LOOK_EVERY);
    while polling.next().await {
        // What the engine was making when its client was killed may come to be after a first removal.
        remove_made(tool, name, kubeconfig).await?;
        if !clusters_of(tool).await?.iter().any(|known| known == name) {
            return Ok(());
        }
    }
    Err(TimedOut {
        waited_for: format!("the cluster {name} to be gone"),
        budget: GONE_WITHIN.into(),
        last_seen: format!("{} still lists it", tool.name()),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness_artifacts::image::BuiltImage;

    fn image(role: ImageRole, digit: char) -> BuiltImage {
        BuiltImage {
            name: format!("{}:{digit}", role.repository()),
            archive: "/nowhere.tar".into(),
            image_id: String::new(),
            digest: format!("sha256:{digit}"),
            size: 0,
        }
    }

    fn built(agent: char) -> Images {
        Images {
            agent: image(ImageRole::Agent, agent),
            application: image(ImageRole::Application, 'a'),
            proxy: image(ImageRole::Proxy, 'a'),
            driver: image(ImageRole::Driver, 'a'),
        }
    }

    fn filled_lease() -> Lease {
        let folder = LeaseFolder::at("/nowhere".into());
        let purpose = LeasePurpose::ToLookAt;
        let mut lease = Lease::new("conformance-a", ClusterTool::Kind, None, purpose, &folder);
        for role in ImageRole::ALL {
            lease.images.insert(role, loaded(&built('a'), role));
        }
        lease
    }

    #[test]
    fn only_an_image_whose_digest_has_changed_is_loaded_again() {
        let none = ImageNames::default();
        assert_eq!(to_load(&filled_lease(), &built('a'), &none), []);
        assert_eq!(
            to_load(&filled_lease(), &built('b'), &none),
            [ImageRole::Agent]
        );
    }

    #[test]
    fn an_image_that_the_user_names_is_not_loaded() {
        let named = ImageNames::default().with(ImageRole::Agent, "own/agent:1");
        assert_eq!(to_load(&filled_lease(), &built('b'), &named), []);
    }
}
