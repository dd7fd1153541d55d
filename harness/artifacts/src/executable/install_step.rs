//! The progress of an installation while it is under way.

use std::fmt;

/// One step of an installation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InstallStep {
    /// The cached executable has changed since its installation, and is replaced.
    Damaged {
        /// The version.
        version: String,
    },
    /// The package is being downloaded.
    Downloading {
        /// The version.
        version: String,
    },
    /// The package is being unpacked and checked.
    Unpacking {
        /// The version.
        version: String,
    },
    /// Another process installs the same version.
    Waiting {
        /// The version.
        version: String,
    },
}

impl fmt::Display for InstallStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { version } => {
                write!(
                    formatter,
                    "the cached Envoy {version} has changed; installing it again"
                )
            }
            Self::Downloading { version } => write!(formatter, "downloading Envoy {version}"),
            Self::Unpacking { version } => write!(formatter, "unpacking Envoy {version}"),
            Self::Waiting { version } => {
                write!(
                    formatter,
                    "waiting for another process that installs Envoy {version}"
                )
            }
        }
    }
}
