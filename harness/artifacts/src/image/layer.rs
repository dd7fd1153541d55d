//! Writes an image's root as one layer: a tar archive whose bytes depend on the contents alone.
//!
//! Times, names of users and the order in which a file system lists its files are left out. The layer is not compressed: it goes
//! from one folder of this machine to another, and the digest does not depend on a compressor's version.

use std::io::{self, Read as _, Write};

use camino::Utf8Path;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::image::contents::{Contents, ImageEntry};
use crate::image::error::ImageError;

/// The digest and the length of a layer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Layer {
    /// `sha256:…` of the bytes.
    pub(crate) digest: String,
    /// How many bytes there are; always whole blocks of tar's.
    pub(crate) size: u64,
}

/// Writes the layer, and returns what was written.
pub(crate) fn write_layer(contents: &Contents, output: impl Write) -> Result<Layer, ImageError> {
    let mut builder = Builder::new(Measured::new(output));
    for (path, entry) in contents.entries() {
        append(&mut builder, path, entry)?;
    }
    let measured = builder.into_inner().map_err(|source| ImageError::Io {
        action: "write the end of a layer".into(),
        source,
    })?;
    Ok(Layer {
        digest: format!("sha256:{}", hex::encode(measured.hash.finalize())),
        size: measured.size,
    })
}

fn append<W: Write>(
    builder: &mut Builder<W>,
    path: &Utf8Path,
    entry: &ImageEntry,
) -> Result<(), ImageError> {
    let written = |source| ImageError::Io {
        action: format!("write `{path}` into a layer"),
        source,
    };
    match entry {
        ImageEntry::Bytes { bytes, mode } => {
            let mut header = header(EntryType::Regular, *mode);
            header.set_size(bytes.len() as u64);
            builder
                .append_data(&mut header, path, bytes.as_slice())
                .map_err(written)
        }
        ImageEntry::Copy { source, mode } => {
            let unreadable = |error| ImageError::Io {
                action: format!("read `{source}`"),
                source: error,
            };
            let file = std::fs::File::open(source).map_err(unreadable)?;
            let size = file.metadata().map_err(unreadable)?.len();
            let mut header = header(EntryType::Regular, *mode);
            header.set_size(size);
            let mut counted = Counted {
                inner: file.take(size),
                count: 0,
            };
            builder
                .append_data(&mut header, path, &mut counted)
                .map_err(written)?;
            if counted.count == size {
                Ok(())
            } else {
                Err(ImageError::Changed {
                    path: source.clone(),
                })
            }
        }
        ImageEntry::Folder { mode } => {
            let mut header = header(EntryType::Directory, *mode);
            builder
                .append_data(&mut header, format!("{path}/"), io::empty())
                .map_err(written)
        }
        ImageEntry::Link { target } => {
            let mut header = header(EntryType::Symlink, 0o777);
            builder
                .append_link(&mut header, path, target)
                .map_err(written)
        }
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// Passes bytes on, and hashes and counts them.
struct Measured<W> {
    output: W,
    hash: Sha256,
    size: u64,
}

impl<W> Measured<W> {
    fn new(output: W) -> Self {
        Self {
            output,
            hash: Sha256::new(),
            size: 0,
        }
    }
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Counts what is read: the header of an entry has promised a length.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: io::Read> io::Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::{Duration, SystemTime};

    use camino::Utf8PathBuf;

    use super::*;

    fn file(folder: &Utf8Path, name: &str) -> Utf8PathBuf {
        let path = folder.join(name);
        fs_err::write(&path, "program").expect("writable");
        path
    }

    fn layer_of(path: &Utf8Path) -> (Layer, Vec<u8>) {
        let mut contents = Contents::base();
        contents.copy(path, "/app/program".into(), 0o755);
        let mut bytes = Vec::new();
        let layer = write_layer(&contents, &mut bytes).expect("it is written");
        (layer, bytes)
    }

    #[test]
    fn the_same_content_gives_the_same_layer_whatever_the_files_name_and_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let (one, other) = (file(folder, "one"), file(folder, "other"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        let handle = std::fs::File::options().write(true).open(&other);
        handle
            .and_then(|handle| handle.set_times(FileTimes::new().set_modified(time)))
            .expect("the time can be set");
        assert_eq!(layer_of(&one), layer_of(&other));
    }

    #[test]
    fn another_content_gives_another_layer() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let path = file(folder, "one");
        let (before, _) = layer_of(&path);
        fs_err::write(&path, "programs").expect("writable");
        assert_ne!(before.digest, layer_of(&path).0.digest);
    }

    #[test]
    fn digest_and_size_are_those_of_the_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let (layer, bytes) = layer_of(&file(folder, "one"));
        assert_eq!(layer.size, bytes.len() as u64);
        assert_eq!(layer.size % 512, 0);
        let digest = hex::encode(Sha256::digest(&bytes));
        assert_eq!(layer.digest, format!("sha256:{digest}"));
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let mut contents = Contents::base();
        contents.copy("/nonexistent/agent".into(), "/app/agent".into(), 0o755);
        let error = write_layer(&contents, io::sink()).expect_err("it is gone");
        assert!(error.to_string().contains("/nonexistent/agent"), "{error}");
    }
}
