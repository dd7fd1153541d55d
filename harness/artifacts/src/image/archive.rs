//! Writes an image as one archive that `kind load image-archive`, `k3d image import`, `ctr images import` and `docker load` take:
//! an OCI image layout with the list of Docker's format beside it.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use crate::image::cache::mark_used;
use crate::image::contents::Contents;
use crate::image::description::{Description, blob_path};
use crate::image::error::ImageError;
use crate::image::layer::{Layer, write_layer};

/// The bytes of tar's unit, in which headers are and contents are padded to.
const BLOCK: u64 = 512;

/// The marker of an image layout.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image that is about to be written.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    /// The image's name with its tag.
    pub(crate) name: &'a str,
    /// Its files.
    pub(crate) contents: &'a Contents,
    /// Its layer, as measured before.
    pub(crate) layer: &'a Layer,
    /// Its documents.
    pub(crate) description: &'a Description,
}

impl Archive<'_> {
    /// Writes the archive unless one of this length is there, which the name's digest vouches for. Others see the finished archive or none.
    pub(crate) fn write_once(&self, path: &Utf8Path) -> Result<u64, ImageError> {
        let length = self.length();
        if path
            .metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
        {
            // Only its age is at stake.
            let _ = mark_used(path);
            return Ok(length);
        }
        let failed = |source| ImageError::Io {
            action: format!("write `{path}`"),
            source,
        };
        let folder = path.parent().unwrap_or(Utf8Path::new("."));
        fs_err::create_dir_all(folder).map_err(failed)?;
        let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
        self.write(
            BufWriter::with_capacity(256 * 1024, file.as_file_mut()),
            path,
        )?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o644))
            .map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(length)
    }

    fn write(&self, output: impl Write, path: &Utf8Path) -> Result<(), ImageError> {
        let failed = |source| ImageError::Io {
            action: format!("write `{path}`"),
            source,
        };
        let mut builder = Builder::new(output);
        let layer_header = self.layer_header().map_err(failed)?;
        builder
            .get_mut()
            .write_all(layer_header.as_bytes())
            .map_err(failed)?;
        // A layer is whole blocks, so that nothing has to be padded.
        let written = write_layer(self.contents, builder.get_mut())?;
        if written != *self.layer {
            return Err(ImageError::Changed {
                path: path.to_owned(),
            });
        }
        for (path, bytes) in self.documents() {
            let mut header = header(bytes.len() as u64);
            builder
                .append_data(&mut header, path, bytes.as_slice())
                .map_err(failed)?;
        }
        builder
            .into_inner()
            .and_then(|mut output| output.flush())
            .map_err(failed)
    }

    fn layer_header(&self) -> io::Result<Header> {
        let mut header = header(self.layer.size);
        header.set_path(blob_path(&self.layer.digest))?;
        header.set_cksum();
        Ok(header)
    }

    fn documents(&self) -> [(String, Vec<u8>); 5] {
        let Description {
            configuration,
            manifest,
            ..
        } = self.description;
        [
            (
                blob_path(&configuration.digest),
                configuration.bytes.clone(),
            ),
            (blob_path(&manifest.digest), manifest.bytes.clone()),
            ("index.json".into(), self.description.index(self.name).bytes),
            (
                "manifest.json".into(),
                self.description.docker_list(self.name, self.layer).bytes,
            ),
            ("oci-layout".into(), LAYOUT.to_vec()),
        ]
    }

    /// Returns the length of the finished archive: each entry with its header, and two blocks at the end.
    fn length(&self) -> u64 {
        let entry = |length: u64| BLOCK + length.div_ceil(BLOCK) * BLOCK;
        let documents = self.documents().map(|(_, bytes)| entry(bytes.len() as u64));
        entry(self.layer.size) + documents.iter().sum::<u64>() + 2 * BLOCK
    }
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::image::description::Purpose;
    use crate::image::program::Architecture;

    #[test]
    fn a_file_that_changes_after_it_was_measured_ends_the_build_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let (source, output) = (folder.join("agent"), folder.join("images"));
        fs_err::write(&source, "one").expect("writable");
        let mut contents = Contents::base();
        contents.copy(&source, "/app/agent".into(), 0o755);
        let layer = write_layer(&contents, io::sink()).expect("it is measured");
        let purpose = Purpose {
            entrypoint: "/app/agent".into(),
            architecture: Architecture::Amd64,
            labels: BTreeMap::new(),
        };
        let description = Description::new(&purpose, &layer);
        let archive = Archive {
            name: "conformance.local/agent-stub:0123456789ab",
            contents: &contents,
            layer: &layer,
            description: &description,
        };
        fs_err::write(&source, "two").expect("writable");
        let error = archive
            .write_once(&output.join("agent.tar"))
            .expect_err("the name would lie");
        assert!(matches!(error, ImageError::Changed { .. }), "{error}");
        assert_eq!(fs_err::read_dir(&output).expect("a folder").count(), 0);
    }
}
