//! What an image's root holds: folders, files and links, all of them root's. Nothing is read or written here.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The user and group of every container. Agent and proxy share it, since a socket in a shared volume is open to its owner only.
///
/// It is a number, not a name: the kubelet refuses `runAsNonRoot` where it cannot tell whether a name is root's.
pub(crate) const CONTAINER_USER: u32 = 65_532;

/// The folders of the root that are links, as in every current distribution: a program searches for its loader in `/lib64`.
const MERGED_FOLDERS: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Where the agent keeps its socket and its cache. A volume usually covers it; where none does and the root is writable, the
/// container's user writes here, whoever that is.
const AGENT_FOLDER: &str = "/sigsci/tmp";

/// Everything in an image's root, in the order of the paths.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Contents {
    entries: BTreeMap<Utf8PathBuf, ImageEntry>,
}

/// One path of the root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ImageEntry {
    /// A file with these bytes.
    Bytes {
        /// What it holds.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
    },
    /// A file with the content of a file of this machine.
    Copy {
        /// The file of this machine.
        source: Utf8PathBuf,
        /// Its permission bits in the image.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: Utf8PathBuf,
    },
}

impl Contents {
    /// Returns what every image holds: the folders that a runtime mounts on, a user database with the container's user, and a
    /// place for temporary files.
    pub(crate) fn base() -> Self {
        let mut contents = Self::default();
        for name in ["dev", "etc", "proc", "run", "sys", "var"] {
            contents.folder(&Utf8Path::new("/").join(name), 0o755);
        }
        contents.folder("/tmp".into(), 0o1777);
        contents.folder("/root".into(), 0o700);
        contents.folder(AGENT_FOLDER.into(), 0o1777);
        for name in MERGED_FOLDERS {
            let target = Utf8Path::new("usr").join(name);
            contents.folder(&Utf8Path::new("/").join(&target), 0o755);
            contents
                .entries
                .insert(name.into(), ImageEntry::Link { target });
        }
        for (path, text) in [
            (
                "/etc/passwd",
                format!(
                    "root:x:0:0:root:/root:/bin/sh\nnonroot:x:{CONTAINER_USER}:{CONTAINER_USER}:nonroot:/:/bin/false\n\
                     nobody:x:65534:65534:nobody:/:/bin/false\n"
                ),
            ),
            (
                "/etc/group",
                format!("root:x:0:\nnonroot:x:{CONTAINER_USER}:\nnogroup:x:65534:\n"),
            ),
            ("/etc/nsswitch.conf", "hosts: files dns\n".to_owned()),
        ] {
            let bytes = text.into_bytes();
            contents.insert(
                Utf8Path::new(path),
                ImageEntry::Bytes { bytes, mode: 0o644 },
            );
        }
        contents
    }

    /// Adds a file of this machine.
    pub(crate) fn copy(&mut self, source: &Utf8Path, path: &Utf8Path, mode: u32) {
        let source = source.to_owned();
        self.insert(path, ImageEntry::Copy { source, mode });
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &Utf8Path, target: &Utf8Path) {
        let target = target.to_owned();
        self.insert(path, ImageEntry::Link { target });
    }

    /// Returns every path, relative to the root, with what it holds. A folder comes before what is in it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Utf8Path, &ImageEntry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_path(), entry))
    }

    fn folder(&mut self, path: &Utf8Path, mode: u32) {
        self.insert(path, ImageEntry::Folder { mode });
    }

    /// Puts something at an absolute path, and makes the folders above it.
    fn insert(&mut self, path: &Utf8Path, entry: ImageEntry) {
        let place = place_of(path);
        for above in place.ancestors().skip(1).filter(|above| *above != "") {
            self.entries
                .entry(above.to_owned())
                .or_insert(ImageEntry::Folder { mode: 0o755 });
        }
        self.entries.insert(place, entry);
    }
}

/// Returns where a path of a root with merged folders really lies, relative to the root.
fn place_of(path: &Utf8Path) -> Utf8PathBuf {
    let mut place = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::Normal(name) => {
                if place == "" && MERGED_FOLDERS.contains(&name) {
                    place.push("usr");
                }
                place.push(name);
            }
            Utf8Component::ParentDir => {
                place.pop();
            }
            Utf8Component::CurDir | Utf8Component::Prefix(_) | Utf8Component::RootDir => {}
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2")]
    #[case("/usr/lib/x.so", "usr/lib/x.so")]
    #[case("/bin/sh", "usr/bin/sh")]
    #[case("/app/bin/x", "app/bin/x")]
    #[case("/../../etc/x", "etc/x")]
    fn a_path_lies_below_the_root_and_behind_the_merged_folders(
        #[case] path: &str,
        #[case] place: &str,
    ) {
        assert_eq!(place_of(Utf8Path::new(path)), place);
    }

    #[test]
    fn a_folder_comes_before_what_is_in_it_and_is_never_missing() {
        let mut contents = Contents::base();
        contents.copy("/x".into(), "/opt/a-b/c".into(), 0o755);
        contents.copy("/x".into(), "/opt/a/c".into(), 0o755);
        let mut seen = vec![Utf8PathBuf::new()];
        for (path, entry) in contents.entries() {
            let parent = path.parent().expect("no entry is the root");
            assert!(
                seen.iter().any(|seen| seen == parent),
                "{path} has no folder yet"
            );
            if matches!(entry, ImageEntry::Folder { .. }) {
                seen.push(path.to_owned());
            }
        }
        assert!(seen.iter().any(|path| path == "opt/a-b"), "{seen:?}");
    }

    #[rstest]
    #[case("tmp")]
    #[case("sigsci/tmp")]
    fn any_user_can_write_where_programs_keep_short_lived_files(#[case] path: &str) {
        let contents = Contents::base();
        let entry = contents.entries.get(Utf8Path::new(path));
        assert_eq!(entry, Some(&ImageEntry::Folder { mode: 0o1777 }));
    }
}
