//! The JSON documents of an image: configuration, manifest, index, and the list that `docker load` reads.
//!
//! They are written from types of our own, with their maps in order, so that the bytes and with them the image's id depend on
//! the image alone. The formats are those of the OCI image specification 1.0 and of Docker's image specification 1.2.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::image::contents::CONTAINER_USER;
use crate::image::layer::Layer;
use crate::image::program::Architecture;

const CONFIGURATION_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// When every image was made. A real time would make each build another image.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The search path of the `local` environment's containers too.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image is and does, besides its files.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    /// What a container runs unless the pod says otherwise.
    pub(crate) entrypoint: String,
    /// The machine that it is for.
    pub(crate) architecture: Architecture,
    /// What it is, for whoever finds it.
    pub(crate) labels: BTreeMap<&'static str, String>,
}

/// The configuration and the manifest, which are both addressed by their digests.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    /// The configuration; its digest is the image's id.
    pub(crate) configuration: Document,
    /// The manifest.
    pub(crate) manifest: Document,
    architecture: Architecture,
}

/// A JSON document with its digest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Document {
    /// `sha256:…` of the bytes.
    pub(crate) digest: String,
    /// The document.
    pub(crate) bytes: Vec<u8>,
}

impl Description {
    /// Describes an image of one layer.
    pub(crate) fn new(purpose: &Purpose, layer: &Layer) -> Self {
        let configuration = Document::of(&Configuration {
            architecture: purpose.architecture.oci_name(),
            config: Execution {
                entrypoint: [&purpose.entrypoint],
                env: [PATH],
                labels: &purpose.labels,
                user: format!("{CONTAINER_USER}:{CONTAINER_USER}"),
                working_dir: "/",
            },
            created: CREATED,
            history: [History {
                created: CREATED,
                created_by: "conformance images",
            }],
            os: "linux",
            rootfs: RootFileSystem {
                diff_ids: [&layer.digest],
                kind: "layers",
            },
        });
        let manifest = Document::of(&Manifest {
            config: Descriptor::of(CONFIGURATION_TYPE, &configuration),
            layers: [Descriptor {
                annotations: BTreeMap::new(),
                digest: &layer.digest,
                media_type: LAYER_TYPE,
                platform: None,
                size: layer.size,
            }],
            media_type: MANIFEST_TYPE,
            schema_version: 2,
        });
        Self {
            configuration,
            manifest,
            architecture: purpose.architecture,
        }
    }

    /// Returns the index of an archive that holds the image alone, under a name with a tag.
    pub(crate) fn index(&self, name: &str) -> Document {
        let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
        let mut manifest = Descriptor::of(MANIFEST_TYPE, &self.manifest);
        manifest.annotations = BTreeMap::from([
            ("io.containerd.image.name", name),
            ("org.opencontainers.image.ref.name", tag),
        ]);
        manifest.platform = Some(Platform {
            architecture: self.architecture.oci_name(),
            os: "linux",
        });
        Document::of(&Index {
            manifests: [manifest],
            media_type: INDEX_TYPE,
            schema_version: 2,
        })
    }

    /// Returns the list of images that `docker load` expects.
    pub(crate) fn docker_list(&self, name: &str, layer: &Layer) -> Document {
        Document::of(&[DockerImage {
            config: blob_path(&self.configuration.digest),
            layers: [blob_path(&layer.digest)],
            repo_tags: [name],
        }])
    }
}

impl Document {
    /// Writes a document.
    fn of(content: &impl Serialize) -> Self {
        let bytes =
            serde_json::to_vec(content).expect("strings, numbers and maps of strings are JSON");
        Self {
            digest: format!("sha256:{}", hex::encode(Sha256::digest(&bytes))),
            bytes,
        }
    }
}

/// Returns where an archive holds what has a digest.
pub(crate) fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

#[derive(Serialize)]
struct Configuration<'a> {
    architecture: &'static str,
    config: Execution<'a>,
    created: &'static str,
    history: [History; 1],
    os: &'static str,
    rootfs: RootFileSystem<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    entrypoint: [&'a str; 1],
    env: [&'static str; 1],
    labels: &'a BTreeMap<&'static str, String>,
    user: String,
    working_dir: &'static str,
}

#[derive(Serialize)]
struct History {
    created: &'static str,
    created_by: &'static str,
}

#[derive(Serialize)]
struct RootFileSystem<'a> {
    diff_ids: [&'a str; 1],
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    media_type: &'static str,
    schema_version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    manifests: [Descriptor<'a>; 1],
    media_type: &'static str,
    schema_version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, &'a str>,
    digest: &'a str,
    media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    size: u64,
}

impl<'a> Descriptor<'a> {
    fn of(media_type: &'static str, document: &'a Document) -> Self {
        Self {
            annotations: BTreeMap::new(),
            digest: &document.digest,
            media_type,
            platform: None,
            size: document.bytes.len() as u64,
        }
    }
}

#[derive(Serialize)]
struct Platform {
    architecture: &'static str,
    os: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage<'a> {
    config: String,
    layers: [String; 1],
    repo_tags: [&'a str; 1],
}
