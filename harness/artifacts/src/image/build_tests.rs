//! Reads built images back, with the OCI project's own types, as a runtime would.

use std::collections::BTreeMap;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use oci_spec::image::{
    Arch, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout, Os,
};
use sha2::{Digest as _, Sha256};
use tar::{Archive, EntryType};

use super::*;
use crate::image::description::blob_path;

/// A shell stands for an executable: every machine has one, and it is linked.
const EXECUTABLE: &str = "/bin/sh";

struct Built {
    image: BuiltImage,
    files: BTreeMap<String, Vec<u8>>,
    _folder: tempfile::TempDir,
}

fn built(role: ImageRole) -> Built {
    let folder = tempfile::tempdir().expect("a folder");
    let path = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let image = build_image(role, EXECUTABLE.into(), path).expect("it is built");
    let mut archive = Archive::new(fs_err::File::open(&image.archive).expect("it is there"));
    let mut files = BTreeMap::new();
    for entry in archive.entries().expect("it is a tar archive") {
        let mut entry = entry.expect("a whole entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a whole file");
        files.insert(path, bytes);
    }
    Built {
        image,
        files,
        _folder: folder,
    }
}

impl Built {
    /// Returns what the archive holds under a digest, and checks that the digest is right.
    fn blob(&self, digest: &str) -> &[u8] {
        let bytes = &self.files[&blob_path(digest)];
        let found = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        assert_eq!(found, digest);
        bytes
    }

    fn manifest(&self) -> ImageManifest {
        let index = ImageIndex::from_reader(&self.files["index.json"][..]).expect("an index");
        let [manifest] = index.manifests().as_slice() else {
            panic!("one image: {index:?}");
        };
        assert_eq!(manifest.digest().to_string(), self.image.digest);
        let names = manifest.annotations().as_ref().expect("it has a name");
        assert_eq!(names["io.containerd.image.name"], self.image.name);
        let bytes = self.blob(&self.image.digest);
        assert_eq!(manifest.size(), bytes.len() as u64);
        ImageManifest::from_reader(bytes).expect("a manifest")
    }

    fn configuration(&self) -> ImageConfiguration {
        let manifest = self.manifest();
        assert_eq!(manifest.config().digest().to_string(), self.image.image_id);
        let bytes = self.blob(&self.image.image_id);
        assert_eq!(manifest.config().size(), bytes.len() as u64);
        ImageConfiguration::from_reader(bytes).expect("a configuration")
    }

    fn layer(&self) -> &[u8] {
        let manifest = self.manifest();
        let [layer] = manifest.layers().as_slice() else {
            panic!("one layer: {manifest:?}");
        };
        assert_eq!(*layer.media_type(), MediaType::ImageLayer);
        let bytes = self.blob(layer.digest().as_ref());
        assert_eq!(layer.size(), bytes.len() as u64);
        bytes
    }
}

#[test]
fn an_archive_is_an_image_layout_whose_every_digest_and_size_is_right() {
    let built = built(ImageRole::Agent);
    let layout = OciLayout::from_reader(&built.files["oci-layout"][..]).expect("a layout");
    assert_eq!(layout.image_layout_version(), "1.0.0");
    let configuration = built.configuration();
    let layer = format!("sha256:{}", hex::encode(Sha256::digest(built.layer())));
    assert_eq!(configuration.rootfs().diff_ids(), &[layer]);
    assert_eq!(built.files.len(), 6, "{:?}", built.files.keys());
}

#[test]
fn a_configuration_says_what_runs_as_whom() {
    let configuration = built(ImageRole::Agent).configuration();
    assert_eq!(*configuration.os(), Os::Linux);
    let expected = match std::env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        _ => Arch::ARM64,
    };
    assert_eq!(*configuration.architecture(), expected);
    let execution = configuration.config().as_ref().expect("it has one");
    assert_eq!(
        execution.entrypoint().as_deref(),
        Some(&["/app/sh".to_owned()][..])
    );
    // A number: the kubelet cannot tell whether a name is root's.
    assert_eq!(execution.user().as_deref(), Some("65532:65532"));
    let labels = execution.labels().as_ref().expect("it has labels");
    assert_eq!(labels["conformance/role"], "agent");
}

#[test]
fn docker_finds_the_same_image_in_its_own_list() {
    let built = built(ImageRole::Application);
    let list: serde_json::Value =
        serde_json::from_slice(&built.files["manifest.json"]).expect("it is JSON");
    assert_eq!(list[0]["RepoTags"], serde_json::json!([built.image.name]));
    assert_eq!(list[0]["Config"], blob_path(&built.image.image_id).as_str());
    let layer = built.manifest().layers()[0].digest().to_string();
    assert_eq!(list[0]["Layers"], serde_json::json!([blob_path(&layer)]));
}

#[test]
fn a_layer_holds_the_executable_its_libraries_and_the_tools_and_names_no_time() {
    let built = built(ImageRole::Proxy);
    let mut layer = Archive::new(built.layer());
    let mut paths = BTreeMap::new();
    for entry in layer.entries().expect("it is a tar archive") {
        let entry = entry.expect("a whole entry");
        let header = entry.header();
        assert_eq!(header.mtime().expect("a time"), 0);
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let path = path.trim_end_matches('/').to_owned();
        let link = entry
            .link_name()
            .expect("readable")
            .map(|link| link.to_path_buf());
        paths.insert(
            path,
            (header.entry_type(), header.uid().expect("an owner"), link),
        );
    }
    assert_eq!(paths["app/sh"].0, EntryType::Regular);
    assert_eq!(paths["usr/bin/sleep"].0, EntryType::Regular);
    assert_eq!(paths["usr/local/bin/sh"].2, Some("/app/sh".into()));
    assert_eq!(paths["lib64"].2, Some("usr/lib64".into()));
    assert!(
        paths.keys().any(|path| path.ends_with("/libc.so.6")),
        "{:?}",
        paths.keys()
    );
    assert!(paths.values().all(|(_, owner, _)| *owner == 0), "{paths:?}");
}

#[test]
fn the_driver_has_no_tools() {
    let built = built(ImageRole::Driver);
    let text = String::from_utf8_lossy(built.layer()).into_owned();
    assert!(text.contains("app/sh"));
    assert!(!text.contains("usr/bin/sleep"));
}

#[test]
fn an_executable_gives_the_same_archive_on_each_build_and_its_tag_says_so() {
    let (one, other) = (built(ImageRole::Agent), built(ImageRole::Agent));
    assert_eq!(one.files, other.files);
    assert_eq!(one.image.name, other.image.name);
    let tag = one.image.digest["sha256:".len()..]
        .get(..12)
        .expect("64 digits");
    assert_eq!(
        one.image.name,
        format!("conformance.local/agent-stub:{tag}")
    );
    assert_eq!(
        one.image.archive.file_name(),
        Some(format!("agent-stub-{tag}.tar").as_str())
    );
    let application = built(ImageRole::Application);
    assert_ne!(one.image.image_id, application.image.image_id);
}

#[test]
fn an_archive_that_is_there_is_not_written_again_and_a_torn_one_is() {
    let built = built(ImageRole::Driver);
    let folder: Utf8PathBuf = built.image.archive.parent().expect("a folder").into();
    let whole = fs_err::read(&built.image.archive).expect("it is there");
    assert_eq!(whole.len() as u64, built.image.size);
    let inode = || {
        use std::os::unix::fs::MetadataExt as _;
        fs_err::metadata(&built.image.archive)
            .expect("it is there")
            .ino()
    };
    let before = inode();
    build_image(ImageRole::Driver, EXECUTABLE.into(), &folder).expect("it is built");
    assert_eq!(inode(), before, "it was written again");
    fs_err::write(&built.image.archive, &whole[..1000]).expect("writable");
    build_image(ImageRole::Driver, EXECUTABLE.into(), &folder).expect("it is built");
    assert!(fs_err::read(&built.image.archive).expect("it is there") == whole);
    assert_eq!(
        fs_err::read_dir(&folder).expect("a folder").count(),
        1,
        "leavings"
    );
}
