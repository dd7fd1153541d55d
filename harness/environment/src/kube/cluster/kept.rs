//! A cluster that is kept between runs, as a run uses it: attached to by its lease, with the images that have changed loaded.

use crate::EnvironmentFault;
use crate::kube::api::image_names::ImageNames;
use crate::kube::cluster::choice::ClusterNodes;
use crate::kube::cluster::lease::{Lease, LeaseError, LoadedImage};
use crate::kube::cluster::lease_folder::{InUse, LeaseFolder};
use crate::kube::cluster::tool::{ClusterTool, clusters_of, load_image};
use harness_artifacts::image::{ImageRole, Images};

/// A cluster that a run uses and does not remove.
#[derive(Debug)]
pub(super) struct KeptCluster {
    pub lease: Lease,
    folder: LeaseFolder,
    _in_use: InUse,
}

/// Takes the kept cluster of a tool into use, where there is one with these nodes.
pub(super) async fn attach(
    tool: ClusterTool,
    nodes: &ClusterNodes,
    leases: &LeaseFolder,
    say: &(impl Fn(&str) + Sync),
) -> Result<Option<KeptCluster>, EnvironmentFault> {
    let Some(lease) = leases.for_runs(tool)? else {
        return Ok(None);
    };
    let image = nodes.image.as_ref();
    let has_another_image = image.is_some_and(|image| lease.node_image.as_ref() != Some(image));
    if has_another_image || nodes.count.is_some_and(|count| count != lease.nodes) {
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

pub(super) fn loaded(built: &Images, role: ImageRole) -> LoadedImage {
    let image = built.of(role);
    LoadedImage {
        name: image.name.clone(),
        digest: image.digest.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::cluster::lease::LeasePurpose;
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
        let purpose = LeasePurpose::ToLookAt;
        let mut lease = Lease::new(
            "conformance-a",
            ClusterTool::Kind,
            &ClusterNodes::default(),
            purpose,
            "/nowhere".into(),
        );
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
