//! The programs that the harness's executable carries: run under the name of one of them, it is that program.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};

use super::error::ExecutableError;

/// How many digits of a hash tell the links to one harness from those to another.
const HASH_DIGITS: usize = 12;

/// A program that the harness's executable carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CarriedProgram {
    /// The reference stub.
    AgentStub,
    /// The application of the guide.
    Helloworld,
}

impl CarriedProgram {
    /// Every program.
    pub const ALL: [Self; 2] = [Self::AgentStub, Self::Helloworld];

    /// Returns the name under which the executable is this program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AgentStub => "agent-stub",
            Self::Helloworld => "helloworld",
        }
    }

    /// Returns the program that a process is to be, by its first argument; none where it is the harness.
    pub fn of_process(first_argument: &OsStr) -> Option<Self> {
        let name = Path::new(first_argument).file_name()?;
        Self::ALL.into_iter().find(|program| name == program.name())
    }
}

/// Returns a path under which the executable `harness` runs as the program: a link below `folder`, which stays there.
///
/// # Errors
///
/// When the link cannot be made.
pub fn link_carried(
    program: CarriedProgram,
    harness: &Utf8Path,
    folder: &Utf8Path,
) -> Result<Utf8PathBuf, ExecutableError> {
    let hash = hex::encode(Sha256::digest(harness.as_str()));
    let folder = folder.join(&hash[..HASH_DIGITS]);
    let link = folder.join(program.name());
    let made = fs_err::create_dir_all(&folder).and_then(|()| match symlink(harness, &link) {
        // The name of the folder says where the link leads.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    match made {
        Ok(()) => Ok(link),
        Err(source) => Err(ExecutableError::Io {
            action: format!("link `{link}` to the harness"),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("agent-stub", Some(CarriedProgram::AgentStub))]
    #[case("/app/helloworld", Some(CarriedProgram::Helloworld))]
    #[case("/usr/bin/conformance", None)]
    #[case("agent-stub/", Some(CarriedProgram::AgentStub))]
    #[case("", None)]
    fn the_name_under_which_a_process_runs_says_which_program_it_is(
        #[case] first_argument: &str,
        #[case] program: Option<CarriedProgram>,
    ) {
        assert_eq!(
            CarriedProgram::of_process(OsStr::new(first_argument)),
            program
        );
    }

    #[test]
    fn a_link_leads_to_the_harness_that_it_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        for harness in ["/bin/sh", "/bin/cat", "/bin/sh"] {
            let link =
                link_carried(CarriedProgram::AgentStub, harness.into(), folder).expect("a link");
            assert_eq!(link.file_name(), Some("agent-stub"));
            assert_eq!(link.read_link_utf8().expect("a link"), harness);
        }
    }
}
