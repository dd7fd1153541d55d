//! Pushes an image from its archive to a registry, byte for byte, so that its digest stays what it was.
//!
//! Credentials come from the configuration of Docker's client and go into no message. Without TLS it speaks to this machine alone.

use std::collections::BTreeMap;
use std::env;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Once;
use std::time::Duration;

use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use serde::Deserialize;
use tokio::time::timeout;
use tokio_rustls::rustls::crypto::ring;

use crate::EnvironmentFault;
use harness_core::model::causes::chain;
use harness_core::model::timeouts::TimedOut;

/// How long one image may take.
const PUSHED_WITHIN: Duration = Duration::from_mins(10);
/// How long a registry may take to answer at all.
const CONNECTED_WITHIN: Duration = Duration::from_secs(15);
/// The largest document of an image, in bytes.
const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;
/// The index of an archive.
const INDEX: &str = "index.json";
/// Docker Hub's name in the configuration of Docker's client.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Why an image cannot be pushed.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("the archive {path} holds no image: {reason}")]
    Archive { path: Utf8PathBuf, reason: String },
    #[error("the credentials for {registry} cannot be had")]
    Credentials {
        registry: String,
        #[source]
        source: CredentialRetrievalError,
    },
    #[error("`{name}` is no name of an image")]
    Name { name: String },
    #[error("the registry {registry} did not take {what}")]
    Registry {
        registry: String,
        what: String,
        #[source]
        source: oci_client::errors::OciDistributionError,
    },
}

impl From<PushError> for EnvironmentFault {
    fn from(error: PushError) -> Self {
        let hint = match &error {
            PushError::Archive { .. } | PushError::Name { .. } => None,
            PushError::Credentials { registry, .. } => Some(format!(
                "`docker login {registry}` writes them into the configuration that is read"
            )),
            PushError::Registry { registry, .. } => Some(format!(
                "may you push there? `docker login {registry}` logs you in; a registry without TLS is spoken to on this machine alone"
            )),
        };
        Self::Cluster {
            action: "push an image".into(),
            detail: chain(&error).join(": "),
            hint,
        }
    }
}

/// Pushes the image of an archive under this name.
pub(super) async fn push(archive: &Utf8Path, name: &str) -> Result<(), EnvironmentFault> {
    match timeout(PUSHED_WITHIN, push_unbounded(archive, name)).await {
        Ok(pushed) => Ok(pushed?),
        Err(_) => Err(TimedOut {
            waited_for: format!("the registry to take {name}"),
            budget: PUSHED_WITHIN.into(),
            last_seen: "it had not taken all of it".into(),
        }
        .into()),
    }
}

async fn push_unbounded(archive: &Utf8Path, name: &str) -> Result<(), PushError> {
    let reference: Reference = name
        .parse()
        .map_err(|_| PushError::Name { name: name.into() })?;
    let registry = reference.resolve_registry().to_owned();
    let refused = |what: &str| {
        let (registry, what) = (registry.clone(), what.to_owned());
        move |source| PushError::Registry {
            registry,
            what,
            source,
        }
    };
    let image = ArchivedImage::open(archive)?;
    let auth = credentials(&registry)?;
    let client = client_for(&registry);
    client
        .auth(&reference, &auth, RegistryOperation::Push)
        .await
        .map_err(refused("the credentials"))?;
    for blob in image.blobs() {
        let exists = client.blob_exists(&reference, &blob.digest).await;
        // A registry that does not say is given the blob.
        if exists.unwrap_or(false) {
            continue;
        }
        let content = image.content(&blob.digest)?;
        client
            .push_blob(&reference, content, &blob.digest)
            .await
            .map_err(refused(&blob.digest))?;
    }
    let kind = image
        .manifest
        .media_type
        .parse()
        .map_err(|_| image.unfit("its manifest has no type"))?;
    client
        .push_manifest_raw(&reference, image.manifest_bytes.clone(), kind)
        .await
        .map_err(refused("the manifest"))?;
    Ok(())
}

fn client_for(registry: &str) -> Client {
    static PROVIDER: Once = Once::new();
    // Another one may have been installed already, which will do as well.
    PROVIDER.call_once(|| drop(ring::default_provider().install_default()));
    let protocol = if is_this_machine(registry) {
        ClientProtocol::HttpsExcept(vec![registry.to_owned()])
    } else {
        ClientProtocol::Https
    };
    Client::new(ClientConfig {
        protocol,
        connect_timeout: Some(CONNECTED_WITHIN),
        ..ClientConfig::default()
    })
}

fn is_this_machine(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => registry,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// Returns the user's credentials; anonymous ones where there are none.
fn credentials(registry: &str) -> Result<RegistryAuth, PushError> {
    let folder = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".docker")));
    let Some(folder) = folder else {
        return Ok(RegistryAuth::Anonymous);
    };
    match std::fs::File::open(folder.join("config.json")) {
        Ok(file) => credentials_from(file, registry),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(RegistryAuth::Anonymous),
        Err(_) => Err(PushError::Credentials {
            registry: registry.into(),
            source: CredentialRetrievalError::ConfigReadError,
        }),
    }
}

fn credentials_from(
    configuration: impl std::io::Read,
    registry: &str,
) -> Result<RegistryAuth, PushError> {
    let key = match registry {
        "index.docker.io" | "docker.io" => DOCKER_HUB,
        other => other,
    };
    match get_credential_from_reader(configuration, key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(RegistryAuth::Basic(user, password))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        // What a helper has printed may hold what it was to keep.
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            Err(PushError::Credentials {
                registry: registry.into(),
                source: CredentialRetrievalError::HelperFailure {
                    helper,
                    stdout: "(not shown)".into(),
                    stderr: "(not shown)".into(),
                },
            })
        }
        Err(source) => Err(PushError::Credentials {
            registry: registry.into(),
            source,
        }),
    }
}

/// An image that lies in an archive.
struct ArchivedImage {
    path: Utf8PathBuf,
    /// Offset and length by name.
    entries: BTreeMap<String, (u64, u64)>,
    manifest: Manifest,
    manifest_bytes: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: String,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
}

impl ArchivedImage {
    fn open(path: &Utf8Path) -> Result<Self, PushError> {
        let unfit = |reason: String| PushError::Archive {
            path: path.to_owned(),
            reason,
        };
        let file = std::fs::File::open(path).map_err(|error| unfit(error.to_string()))?;
        let entries = entries_of(file).map_err(|error| unfit(error.to_string()))?;
        let mut image = Self {
            path: path.to_owned(),
            entries,
            manifest: Manifest {
                media_type: String::new(),
                config: Descriptor {
                    digest: String::new(),
                },
                layers: Vec::new(),
            },
            manifest_bytes: Bytes::new(),
        };
        let index: Index = image.document(&image.entry(INDEX, LARGEST_DOCUMENT)?)?;
        let [manifest] = index.manifests.as_slice() else {
            return Err(image.unfit("it does not hold exactly one"));
        };
        image.manifest_bytes = image.entry(&blob_path(&manifest.digest), LARGEST_DOCUMENT)?;
        image.manifest = image.document(&image.manifest_bytes)?;
        Ok(image)
    }

    fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifest
            .layers
            .iter()
            .chain(std::iter::once(&self.manifest.config))
    }

    fn content(&self, digest: &str) -> Result<Bytes, PushError> {
        self.entry(&blob_path(digest), u64::MAX)
    }

    fn entry(&self, name: &str, limit: u64) -> Result<Bytes, PushError> {
        let Some((offset, length)) = self.entries.get(name) else {
            return Err(self.unfit(&format!("it has no `{name}`")));
        };
        if *length > limit {
            return Err(self.unfit(&format!("its `{name}` is of {length} bytes")));
        }
        let read = || {
            let mut file = std::fs::File::open(&self.path)?;
            file.seek(SeekFrom::Start(*offset))?;
            let mut content = Vec::new();
            file.take(*length).read_to_end(&mut content)?;
            std::io::Result::Ok(content)
        };
        read()
            .map(Bytes::from)
            .map_err(|error| self.unfit(&error.to_string()))
    }

    fn document<T: for<'de> Deserialize<'de>>(&self, bytes: &[u8]) -> Result<T, PushError> {
        serde_json::from_slice(bytes).map_err(|error| self.unfit(&error.to_string()))
    }

    fn unfit(&self, reason: &str) -> PushError {
        PushError::Archive {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }
}

fn entries_of(file: std::fs::File) -> std::io::Result<BTreeMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(file);
    let mut entries = BTreeMap::new();
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        entries.insert(name, (entry.raw_file_position(), entry.size()));
    }
    Ok(entries)
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

#[cfg(test)]
#[path = "registry_push_tests.rs"]
mod tests;
