//! The images that ran, held against those that were built or asked for, and against each other.

use harness_core::model::finding::Finding;
use harness_core::model::finding_kind::FindingKind;
use harness_core::model::image_digest::ImageDigest;
use harness_core::model::image_use::{ContainerImage, ImagesInUse};
use harness_core::model::located::Position;

/// Judges the images of a whole run: each digest is right where the right one is known, and no two pods of a role ran different images.
pub fn judge_run(images: &ImagesInUse) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (role, used) in images {
        let is_right = |digest: &ImageDigest| used.expected.contains(digest);
        if !used.expected.is_empty() {
            findings.extend(
                used.digests
                    .iter()
                    .filter(|(digest, _)| !is_right(digest))
                    .map(|(digest, pods)| {
                        Finding::new(
                            FindingKind::ImageDigest,
                            Position::default(),
                            format!("the {role} is {}", either(&used.expected)),
                            format!("{} ran as {digest}", count(*pods)),
                        )
                        .note(format!("the pods named the image {}", used.name))
                    }),
            );
        }
        // The digests of one built image, of its manifest and of its configuration, are no difference.
        let are_forms_of_one = used.digests.keys().all(is_right);
        if used.digests.len() > 1 && !are_forms_of_one {
            let seen: Vec<String> = used
                .digests
                .iter()
                .map(|(digest, pods)| format!("{digest} in {}", count(*pods)))
                .collect();
            findings.push(
                Finding::new(
                    FindingKind::ImageDrift,
                    Position::default(),
                    format!("every {role} of the run is the same image"),
                    seen.join(", "),
                )
                .note(format!(
                    "the name {} meant different images at different times or on different nodes",
                    used.name
                )),
            );
        }
    }
    findings
}

/// Judges the image of one container.
pub fn judge_container(image: &ContainerImage) -> Option<Finding> {
    let observed = match &image.digest {
        Some(digest) if image.expected.contains(digest) => return None,
        Some(digest) => digest.to_string(),
        None => "the API reports no digest".into(),
    };
    let finding = Finding::new(
        FindingKind::ImageDigest,
        Position::default(),
        format!("`{}` runs {}", image.container, either(&image.expected)),
        observed,
    );
    Some(finding.note(format!("the pod names the image {}", image.name)))
}

fn either(digests: &[ImageDigest]) -> String {
    if digests.is_empty() {
        return "an image whose digest is known".into();
    }
    let words: Vec<&str> = digests.iter().map(ImageDigest::as_str).collect();
    words.join(" or ")
}

fn count(pods: u64) -> String {
    if pods == 1 {
        "1 pod".into()
    } else {
        format!("{pods} pods")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use harness_core::model::image_use::ImageUse;

    fn digest(digit: char) -> ImageDigest {
        format!("sha256:{}", digit.to_string().repeat(64))
            .parse()
            .expect("valid")
    }

    fn agent(expected: &[char], seen: &[(char, u64)]) -> Vec<Finding> {
        let used = ImageUse {
            name: "own/agent:1".into(),
            expected: expected.iter().copied().map(digest).collect(),
            digests: seen
                .iter()
                .map(|(digit, pods)| (digest(*digit), *pods))
                .collect(),
        };
        judge_run(&BTreeMap::from([("agent".to_owned(), used)]))
    }

    #[test]
    fn the_image_that_was_asked_for_in_every_pod_is_right() {
        assert_eq!(agent(&['a'], &[('a', 7)]), []);
    }

    #[test]
    fn another_image_than_was_asked_for_is_found_with_both_digests() {
        let found = agent(&['a'], &[('b', 2)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].kind, FindingKind::ImageDigest);
        assert!(found[0].expected.to_string().contains(digest('a').as_str()));
        assert!(found[0].observed.to_string().contains(digest('b').as_str()));
        assert!(found[0].observed.to_string().contains("2 pods"));
    }

    #[test]
    fn two_images_under_one_name_are_found_where_no_digest_was_asked_for() {
        let found = agent(&[], &[('a', 1), ('b', 2)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].kind, FindingKind::ImageDrift);
        assert!(
            found[0].observed.to_string().contains("1 pod, "),
            "{found:?}"
        );
    }

    #[test]
    fn one_image_of_which_no_digest_was_asked_for_is_reported_and_not_judged() {
        assert_eq!(agent(&[], &[('a', 3)]), []);
    }

    #[test]
    fn manifest_and_configuration_of_one_built_image_are_no_drift() {
        assert_eq!(agent(&['a', 'b'], &[('a', 1), ('b', 1)]), []);
    }

    #[test]
    fn a_container_without_a_digest_is_not_right() {
        let image = ContainerImage {
            container: "sigsci-agent".into(),
            name: "own/agent:1".into(),
            digest: None,
            expected: vec![digest('a')],
            waiting: None,
        };
        let finding = judge_container(&image).expect("a finding");
        assert!(
            finding.observed.to_string().contains("no digest"),
            "{finding:?}"
        );
    }
}
