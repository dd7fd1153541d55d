//! Makes the images of a pod and of the driver, each from one executable.

use camino::{Utf8Path, Utf8PathBuf};

use crate::image::error::ImageError;
use crate::image::names::ImageRole;

/// The executables that images are made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageSources {
    /// The agent under test.
    pub agent: Utf8PathBuf,
    /// The application.
    pub application: Utf8PathBuf,
    /// Envoy.
    pub proxy: Utf8PathBuf,
    /// The harness.
    pub driver: Utf8PathBuf,
}

/// An image that lies in an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuiltImage {
    /// Its name with its tag, which is made from its digest.
    pub name: String,
    /// The archive: an OCI image layout that `docker load` takes as well.
    pub archive: Utf8PathBuf,
    /// The digest of its configuration, `sha256:…`: what container runtimes call the image's id.
    pub image_id: String,
    /// The digest of its manifest, `sha256:…`: what a registry calls the image's digest.
    pub digest: String,
    /// The size of the archive in bytes.
    pub size: u64,
}

/// Everything that a cluster needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Images {
    /// The agent under test.
    pub agent: BuiltImage,
    /// The application.
    pub application: BuiltImage,
    /// Envoy.
    pub proxy: BuiltImage,
    /// The harness.
    pub driver: BuiltImage,
}

impl Images {
    /// Returns the image of a role.
    pub const fn of(&self, role: ImageRole) -> &BuiltImage {
        match role {
            ImageRole::Agent => &self.agent,
            ImageRole::Application => &self.application,
            ImageRole::Driver => &self.driver,
            ImageRole::Proxy => &self.proxy,
        }
    }

    /// Returns what takes the place of an image that a manifest of the guide names.
    pub fn replacing(&self, manifest_image: &str) -> Option<&BuiltImage> {
        ImageRole::of_manifest_image(manifest_image).map(|role| self.of(role))
    }
}

/// Makes the images, with their archives in `folder`. An archive that is there already is not written again.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When an executable cannot be read, is none, or lacks a library, and when the archive cannot be written.
pub fn build_images(sources: &ImageSources, folder: &Utf8Path) -> Result<Images, ImageError> {
    let _ = (sources, folder);
    Err(ImageError::Io {
        action: "make images yet".into(),
        source: std::io::ErrorKind::Unsupported.into(),
    })
}
