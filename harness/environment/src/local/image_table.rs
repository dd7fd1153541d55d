//! Which executables of this machine take the place of a pod template's images.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

/// Maps the image names of a pod template to executables of this machine.
#[derive(Clone, Debug, Default)]
pub struct ImageTable {
    /// Image name (without tag) to executable.
    pub executables: BTreeMap<String, Utf8PathBuf>,
}
