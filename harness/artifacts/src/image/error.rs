//! Why an image cannot be made, and what the user can do about it.

use std::io;

use camino::Utf8PathBuf;

/// Why an image cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file that goes into the image, or the archive, cannot be read or written.
    #[error("cannot {action}")]
    Io {
        /// What was attempted, after "cannot".
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file changed while the image was being made.
    #[error("what goes into `{path}` changed while it was read")]
    Changed {
        /// The file, or the archive that it goes into.
        path: Utf8PathBuf,
    },
    /// A file is no program for Linux.
    #[error("`{path}` is no program of Linux: {reason}")]
    NotAProgram {
        /// The file.
        path: Utf8PathBuf,
        /// What was seen.
        reason: String,
    },
    /// A program's libraries are not all there.
    #[error("the libraries of `{path}` cannot be found: {reason}")]
    Libraries {
        /// The program.
        path: Utf8PathBuf,
        /// What the loader said, bounded and escaped.
        reason: String,
    },
    /// A program that hooks and probes run is not on this machine.
    #[error("this machine has no `{name}`, which goes into every image of a pod")]
    ToolMissing {
        /// The program.
        name: &'static str,
    },
}

impl ImageError {
    /// Returns what the user can do, if there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { .. } => Some("let the build come to its end, and try again".into()),
            Self::Io { .. } => None,
            Self::NotAProgram { .. } => Some(
                "give a program for Linux, built for this machine's architecture; a script needs an image of its own".into(),
            ),
            Self::Libraries { .. } => {
                Some("the program has to run on this machine before it can go into an image".into())
            }
            Self::ToolMissing { name } => Some(format!("install `{name}`, or name finished images instead")),
        }
    }
}
