//! The images that a run uses: archives that were built for it, and the names under which a cluster knows them.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

/// One image as it was built.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The name with its tag.
    pub name: String,
    /// The archive.
    pub archive: Utf8PathBuf,
    /// The digest of its configuration.
    pub image_id: String,
}

/// The four images of a run.
#[derive(Clone, Debug)]
pub struct Images {
    /// The agent under test.
    pub agent: BuiltImage,
    /// The application.
    pub application: BuiltImage,
    /// Envoy.
    pub proxy: BuiltImage,
    /// The harness: driver and observer.
    pub driver: BuiltImage,
}

/// The names of the images in the cluster.
#[derive(Clone, Debug)]
pub struct ImageNames {
    /// What the pod template's names, without tag, stand for.
    pub of_template: BTreeMap<String, String>,
    /// The harness: driver and observer.
    pub driver: String,
}

impl ImageNames {
    /// Returns the image that a name of the pod template stands for; none where it means itself.
    pub(super) fn replacement(&self, image: &str) -> Option<&str> {
        self.of_template
            .get(without_tag(image))
            .map(String::as_str)
    }
}

fn without_tag(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rsplit_once(':') {
        // A colon before a slash is that of a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        Some(_) | None => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_cut_off_and_a_port_is_not() {
        for (image, name) in [
            ("a/b:latest", "a/b"),
            ("a/b", "a/b"),
            ("registry:5000/a", "registry:5000/a"),
            ("registry:5000/a:1@sha256:00", "registry:5000/a"),
        ] {
            assert_eq!(without_tag(image), name);
        }
    }
}
