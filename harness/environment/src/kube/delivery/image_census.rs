//! Counts which images the containers of a run ran, by the digests that the API reads back from their pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};

use crate::kube::api::image_names::ImageNames;
use harness_artifacts::image::{ImageRole, Images};
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::image_use::{ContainerImage, ImageUse, ImagesInUse};

/// The digests that are right, by role.
pub(super) type ExpectedDigests = BTreeMap<ImageRole, Vec<ImageDigest>>;

/// Whether the right digest of every image of a pod under test is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum Digests {
    Known,
    Unknown,
}

/// What is known of the run's images.
#[derive(Debug)]
pub(in crate::kube) struct ImageCensus {
    names: ImageNames,
    expected: ExpectedDigests,
    seen: Mutex<BTreeMap<ImageRole, BTreeMap<ImageDigest, BTreeSet<String>>>>,
}

impl ImageCensus {
    /// Begins with nothing seen.
    pub(in crate::kube) fn new(names: ImageNames, expected: ExpectedDigests) -> Self {
        Self {
            names,
            expected,
            seen: Mutex::default(),
        }
    }

    /// Returns whether the right digest of every image of a pod under test is known.
    pub(in crate::kube) fn digests(&self) -> Digests {
        let of_a_pod = [ImageRole::Agent, ImageRole::Application, ImageRole::Proxy];
        if of_a_pod.iter().all(|role| self.expected.contains_key(role)) {
            Digests::Known
        } else {
            Digests::Unknown
        }
    }

    /// Takes in what the API says of a pod. Containers of other images than the run's own are passed over.
    pub(in crate::kube) fn record(&self, pod: &Pod) {
        let metadata = &pod.metadata;
        let of_pod = metadata.uid.clone().unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (container, status) in with_status(pod) {
            let image = container.image.as_deref().unwrap_or_default();
            if let Some(role) = self.names.role_of(image)
                && let Some(digest) = status.and_then(digest_of)
            {
                let of_role = seen.entry(role).or_default();
                of_role.entry(digest).or_default().insert(of_pod.clone());
            }
        }
    }

    /// Returns what has been seen so far.
    pub(in crate::kube) fn images(&self) -> ImagesInUse {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ImageRole::ALL
            .into_iter()
            .filter_map(|role| {
                let used = ImageUse {
                    name: self.names.of(role)?.to_owned(),
                    expected: self.expected.get(&role).cloned().unwrap_or_default(),
                    digests: seen
                        .get(&role)
                        .into_iter()
                        .flatten()
                        .map(|(digest, pods)| (digest.clone(), pods.len() as u64))
                        .collect(),
                };
                Some((role.to_string(), used))
            })
            .collect()
    }

    /// Returns what the API says of the images of one pod.
    pub(in crate::kube) fn of_pod(&self, pod: &Pod) -> Vec<ContainerImage> {
        with_status(pod)
            .map(|(container, status)| {
                let name = container.image.clone().unwrap_or_default();
                let role = self.names.role_of(&name);
                let waiting = status
                    .and_then(|status| status.state.as_ref()?.waiting.as_ref())
                    .map(|waiting| {
                        (
                            waiting.reason.clone().unwrap_or_default(),
                            waiting.message.clone().unwrap_or_default(),
                        )
                    });
                ContainerImage {
                    container: container.name.clone(),
                    digest: status.and_then(digest_of),
                    expected: role
                        .and_then(|role| self.expected.get(&role))
                        .cloned()
                        .unwrap_or_default(),
                    waiting,
                    name,
                }
            })
            .collect()
    }
}

/// Returns the digests that are right: those that the user asks for, else those of the images that were built, else the one that is part of
/// an image's name.
pub(in crate::kube) fn expected_digests(
    asked_for: &BTreeMap<ImageRole, ImageDigest>,
    built: Option<&Images>,
    named: &ImageNames,
) -> ExpectedDigests {
    ImageRole::ALL
        .into_iter()
        .filter_map(|role| {
            let digests = match (asked_for.get(&role), built, named.of(role)) {
                (Some(digest), _, _) => vec![digest.clone()],
                (None, Some(built), None) => {
                    let image = built.of(role);
                    // Runtimes name an image that came from no registry by one or by the other.
                    [&image.digest, &image.image_id]
                        .into_iter()
                        .filter_map(|digest| digest.parse().ok())
                        .collect()
                }
                (None, _, Some(name)) => ImageDigest::at_end_of(name).into_iter().collect(),
                (None, None, None) => Vec::new(),
            };
            (!digests.is_empty()).then_some((role, digests))
        })
        .collect()
}

fn with_status(pod: &Pod) -> impl Iterator<Item = (&Container, Option<&ContainerStatus>)> {
    let containers = pod.spec.iter().flat_map(|spec| {
        let sidecars = spec.init_containers.iter().flatten();
        sidecars.chain(&spec.containers)
    });
    containers.map(|container| {
        let mut statuses = pod.status.iter().flat_map(|status| {
            let sidecars = status.init_container_statuses.iter().flatten();
            sidecars.chain(status.container_statuses.iter().flatten())
        });
        let status = statuses.find(|status| status.name == container.name);
        (container, status)
    })
}

fn digest_of(status: &ContainerStatus) -> Option<ImageDigest> {
    ImageDigest::at_end_of(&status.image_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn pod(uid: &str, image_id: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "uid": uid },
            "spec": { "containers": [
                { "name": "sigsci-agent", "image": "own/agent:1" },
                { "name": "other", "image": "elsewhere/a:1" },
            ] },
            "status": { "containerStatuses": [
                { "name": "sigsci-agent", "image": "", "imageID": image_id, "ready": false, "restartCount": 0,
                  "state": { "waiting": { "reason": "ErrImageNeverPull", "message": "not there" } } },
                { "name": "other", "image": "", "imageID": digest('c'), "ready": true, "restartCount": 0 },
            ] },
        }))
        .expect("a pod")
    }

    fn census() -> ImageCensus {
        let names = ImageNames::default().with(ImageRole::Agent, "own/agent:1");
        let expected = digest('a').parse().expect("valid");
        ImageCensus::new(names, BTreeMap::from([(ImageRole::Agent, vec![expected])]))
    }

    #[test]
    fn pods_are_counted_by_the_digest_that_each_ran_once_however_often_they_are_seen() {
        let census = census();
        census.record(&pod("1", &format!("own/agent@{}", digest('a'))));
        census.record(&pod("1", &format!("own/agent@{}", digest('a'))));
        census.record(&pod("2", &digest('b')));
        census.record(&pod("3", ""));
        let counts: Vec<u64> = census.images()["agent"].digests.values().copied().collect();
        assert_eq!(counts, [1, 1]);
    }

    #[test]
    fn images_that_are_not_the_runs_own_are_not_counted() {
        let census = census();
        census.record(&pod("1", ""));
        assert!(census.images()["agent"].digests.is_empty());
    }

    #[test]
    fn a_container_that_waits_for_its_image_shows_why() {
        let images = census().of_pod(&pod("1", ""));
        let waiting = images[0].waiting.as_ref().expect("it waits");
        assert_eq!(waiting.0, "ErrImageNeverPull");
        assert_eq!(images[0].digest, None);
        assert_eq!(images[0].expected.len(), 1);
    }

    #[test]
    fn a_digest_in_a_name_is_what_was_asked_for_unless_the_user_says_another() {
        let name = format!("own/agent@{}", digest('a'));
        let named = ImageNames::default().with(ImageRole::Agent, name);
        let by_name = expected_digests(&BTreeMap::new(), None, &named);
        assert_eq!(by_name[&ImageRole::Agent][0].as_str(), digest('a'));
        let asked = BTreeMap::from([(ImageRole::Agent, digest('b').parse().expect("valid"))]);
        let by_user = expected_digests(&asked, None, &named);
        assert_eq!(by_user[&ImageRole::Agent][0].as_str(), digest('b'));
    }
}
