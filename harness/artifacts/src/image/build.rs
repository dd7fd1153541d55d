//! Makes the images of a pod and of the driver, each from one executable.

use std::collections::BTreeMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::image::archive::Archive;
use crate::image::cache::{archive_name, prune_archives};
use crate::image::contents::Contents;
use crate::image::description::{Description, Purpose};
use crate::image::error::ImageError;
use crate::image::layer::write_layer;
use crate::image::names::ImageRole;
use crate::image::program::Program;
use crate::image::tools::{add_program, add_tools};

/// Where every container finds its executable, in the `local` environment too.
const APPLICATION_FOLDER: &str = "/app";

/// How much of the digest makes the tag.
const TAG_LENGTH: usize = 12;

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

impl ImageSources {
    /// Returns the executable of a role.
    pub fn of(&self, role: ImageRole) -> &Utf8Path {
        match role {
            ImageRole::Agent => &self.agent,
            ImageRole::Application => &self.application,
            ImageRole::Driver => &self.driver,
            ImageRole::Proxy => &self.proxy,
        }
    }
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

/// Makes the images, with their archives in `folder`. An archive that is there already is not written again, and old ones that
/// no run has used for two days are removed.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When an executable cannot be read, is none, or lacks a library, and when the archive cannot be written.
pub fn build_images(sources: &ImageSources, folder: &Utf8Path) -> Result<Images, ImageError> {
    let build = |role| build_image(role, sources.of(role), folder);
    let images = Images {
        agent: build(ImageRole::Agent)?,
        application: build(ImageRole::Application)?,
        proxy: build(ImageRole::Proxy)?,
        driver: build(ImageRole::Driver)?,
    };
    prune_archives(folder)?;
    Ok(images)
}

/// Makes the image of one role.
///
/// # Errors
///
/// As [`build_images`].
pub fn build_image(
    role: ImageRole,
    executable: &Utf8Path,
    folder: &Utf8Path,
) -> Result<BuiltImage, ImageError> {
    let program = Program::inspect(executable)?;
    // By the name that was given, not by the one that a link leads to: some programs go by the name under which they are run.
    let file_name = executable.file_name().unwrap_or(role.short_name());
    let entrypoint = Utf8Path::new(APPLICATION_FOLDER).join(file_name);
    let mut contents = Contents::base();
    match role {
        ImageRole::Agent | ImageRole::Application | ImageRole::Proxy => add_tools(&mut contents)?,
        // Nothing but the harness runs there.
        ImageRole::Driver => {}
    }
    add_program(&mut contents, &program, &entrypoint);
    contents.link(
        &Utf8Path::new("/usr/local/bin").join(file_name),
        &entrypoint,
    );

    let layer = write_layer(&contents, io::sink())?;
    let purpose = Purpose {
        entrypoint: entrypoint.into_string(),
        architecture: program.architecture,
        labels: BTreeMap::from([
            ("conformance/role", role.to_string()),
            (
                "org.opencontainers.image.title",
                role.short_name().to_owned(),
            ),
        ]),
    };
    let description = Description::new(&purpose, &layer);
    let digest = description.manifest.digest.clone();
    let tag: String = digest
        .trim_start_matches("sha256:")
        .chars()
        .take(TAG_LENGTH)
        .collect();
    let name = format!("{}:{tag}", role.repository());
    let path = folder.join(archive_name(role, &tag));
    let archive = Archive {
        name: &name,
        contents: &contents,
        layer: &layer,
        description: &description,
    };
    let size = archive.write_once(&path)?;
    Ok(BuiltImage {
        archive: path,
        image_id: description.configuration.digest.clone(),
        digest,
        size,
        name,
    })
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
