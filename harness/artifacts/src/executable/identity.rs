//! What identifies an executable in a report: its hash, its size, and what it says of itself.

use std::io::Read as _;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::executable::bounded_command::{Bounds, Group, Kept, printable, run_bounded};
use crate::executable::error::ExecutableError;

/// The bounds of the question for the version.
const VERSION_BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(5),
    output: 4 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

/// The bounds of the question for the options.
const USAGE_BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(5),
    output: 256 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

/// What identifies an executable.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// Where it is.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// SHA-256 of the file in lower-case hexadecimal.
    pub sha256: String,
    /// The first line that it says when it is asked for its version; none where it does not
    /// answer, or not with success.
    pub version: Option<String>,
    /// Bytes.
    pub size: u64,
}

impl Identity {
    /// Hashes the file and asks it for its version.
    ///
    /// # Errors
    ///
    /// When the file cannot be read. A file that does not run has no version, which is no error.
    pub fn of(path: &Utf8Path) -> Result<Self, ExecutableError> {
        let (sha256, size) = hash_file(path)?;
        Ok(Self {
            path: path.to_owned(),
            sha256,
            version: version_of(path),
            size,
        })
    }

    /// Returns whether the executable's own list of options, which the vendor's agent prints at `--usage`, has an option.
    pub fn has_option(&self, name: &str) -> bool {
        run_bounded(Command::new(&self.path).arg("--usage"), USAGE_BOUNDS)
            .is_ok_and(|finished| finished.stdout.contains(name) || finished.stderr.contains(name))
    }

    /// Returns whether the executable is our reference stub.
    pub fn is_reference_stub(&self) -> bool {
        self.version
            .as_deref()
            .is_some_and(|version| version.starts_with("agent-stub "))
    }
}

/// Returns the SHA-256 and the length of a file.
pub(crate) fn hash_file(path: &Utf8Path) -> Result<(String, u64), ExecutableError> {
    let failed = |source| ExecutableError::Io {
        action: format!("read `{path}`"),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok((hex::encode(hash.finalize()), size)),
            count => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

/// Returns the first line of what a program says to `--version`.
pub(crate) fn version_of(path: &Utf8Path) -> Option<String> {
    let finished = run_bounded(Command::new(path).arg("--version"), VERSION_BOUNDS).ok()?;
    if !finished.status.success() {
        return None;
    }
    [finished.stdout, finished.stderr]
        .iter()
        .flat_map(|output| output.lines())
        .map(printable)
        .find(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::executable::bounded_command::write_program;

    fn identity_of(script: &str) -> Identity {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("program")).expect("UTF-8");
        write_program(&path, script);
        Identity::of(&path).expect("readable")
    }

    #[rstest]
    #[case(
        "#!/bin/sh\necho; echo \"agent-stub 0.1.0\"",
        Some("agent-stub 0.1.0"),
        true
    )]
    #[case("#!/bin/sh\necho my-agent-stub 1 >&2", Some("my-agent-stub 1"), false)]
    #[case("#!/bin/sh\necho agent-stub 1; exit 1", None, false)]
    #[case("not a program", None, false)]
    fn the_version_is_what_the_program_says_with_success(
        #[case] script: &str,
        #[case] version: Option<&str>,
        #[case] is_stub: bool,
    ) {
        let identity = identity_of(script);
        assert_eq!(identity.version.as_deref(), version);
        assert_eq!(identity.is_reference_stub(), is_stub);
    }

    #[test]
    fn the_hash_is_the_files() {
        let identity = identity_of("hello");
        assert_eq!(identity.size, 5);
        assert_eq!(
            identity.sha256,
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let error = Identity::of(Utf8Path::new("/nonexistent/program")).expect_err("missing");
        assert!(matches!(error, ExecutableError::Io { .. }), "{error}");
    }
}
