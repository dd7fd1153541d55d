//! What a file of a container is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a file of a container is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A folder.
    Directory,
    /// A plain file.
    File,
    /// A symbolic link.
    Link,
    /// A device or a named pipe.
    Other,
    /// A socket of the file system.
    Socket,
}

impl FileKind {
    /// Returns the name that scenarios and findings have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
            Self::Link => "link",
            Self::Other => "other",
            Self::Socket => "socket",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
