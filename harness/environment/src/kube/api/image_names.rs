//! The names under which a cluster knows the images of a run.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;

use harness_artifacts::image::{ImageRole, Images};

/// An image's name by what it is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ImageNames(BTreeMap<ImageRole, String>);

impl ImageNames {
    /// Takes the names of images that were built here.
    pub fn of_built(images: &Images) -> Self {
        Self(
            ImageRole::ALL
                .into_iter()
                .map(|role| (role, images.of(role).name.clone()))
                .collect(),
        )
    }

    /// Names an image that the user has made.
    #[must_use]
    pub fn with(mut self, role: ImageRole, name: impl Into<String>) -> Self {
        self.0.insert(role, name.into());
        self
    }

    /// Returns an image's name; none where it is not known.
    pub fn of(&self, role: ImageRole) -> Option<&str> {
        self.0.get(&role).map(String::as_str)
    }

    /// Returns what an image of this name is for.
    pub fn role_of(&self, name: &str) -> Option<ImageRole> {
        let mut roles = self.0.iter();
        roles
            .find(|(_, own)| own.as_str() == name)
            .map(|(role, _)| *role)
    }

    /// Returns the roles that have no name.
    pub fn missing(&self) -> Vec<ImageRole> {
        ImageRole::ALL
            .into_iter()
            .filter(|role| !self.0.contains_key(role))
            .collect()
    }

    /// Lets the template's containers run the run's images, but for those that run the image which they name. When those are pulled is the run's
    /// matter (`pulls`).
    pub(in crate::kube) fn put_into(&self, pod: &mut PodSpec, own: &BTreeSet<String>) {
        let sidecars = pod.init_containers.iter_mut().flatten();
        for container in sidecars.chain(&mut pod.containers) {
            let image = container.image.as_deref().unwrap_or_default();
            let of_run = ImageRole::of_manifest_image(image).and_then(|role| self.of(role));
            if let Some(of_run) = of_run.filter(|_| !own.contains(&container.name)) {
                container.image = Some(of_run.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Container;

    use super::*;

    fn pod(image: &str) -> PodSpec {
        PodSpec {
            containers: vec![Container {
                name: "a".into(),
                image: Some(image.into()),
                image_pull_policy: Some("Always".into()),
                ..Container::default()
            }],
            ..PodSpec::default()
        }
    }

    #[test]
    fn an_image_of_the_guide_becomes_the_runs_own() {
        let names = ImageNames::default().with(ImageRole::Agent, "own/agent:1");
        let mut agent = pod("signalsciences/sigsci-agent:latest");
        names.put_into(&mut agent, &BTreeSet::new());
        assert_eq!(agent.containers[0].image.as_deref(), Some("own/agent:1"));
    }

    #[test]
    fn a_container_with_an_image_of_its_own_keeps_it_whatever_it_is_called() {
        let names = ImageNames::default().with(ImageRole::Agent, "signalsciences/sigsci-agent:1");
        let mut candidate = pod("signalsciences/sigsci-agent:2");
        names.put_into(&mut candidate, &BTreeSet::from(["a".to_owned()]));
        assert_eq!(candidate, pod("signalsciences/sigsci-agent:2"));
    }

    #[test]
    fn any_other_image_stays_as_it_is() {
        let mut other = pod("elsewhere/image:1");
        ImageNames::default().put_into(&mut other, &BTreeSet::new());
        assert_eq!(other, pod("elsewhere/image:1"));
    }
}
