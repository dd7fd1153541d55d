//! Builds the fixtures that stand beside the harness, so that a run never judges stale ones.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::executable::bounded_command::{
    Bounds, CommandError, Group, Kept, printable, run_bounded,
};
use crate::executable::error::ExecutableError;

/// The packages that are built, each with an executable of its name.
pub(super) const AGENT_STUB: &str = "agent-stub";
pub(super) const HELLOWORLD: &str = "helloworld";
/// The bounds of the build. The time is for a first build on a slow machine.
const BUILD_BOUNDS: Bounds = Bounds {
    time: Duration::from_mins(30),
    output: 16 * 1024,
    kept: Kept::End,
    group: Group::Shared,
};
/// What cargo sets for the harness and must not reach the inner cargo: job tokens of a build that
/// is over, and a compiler wrapper that is no business of the fixtures.
const REMOVED_VARIABLES: [&str; 4] = [
    "CARGO_MAKEFLAGS",
    "MAKEFLAGS",
    "MFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
];
/// The prefixes of the variables in which cargo describes the package that it runs a program from. Build scripts may ask for them, and cargo then
/// builds again, with all that depends on it, whenever an outer cargo has set them and the next one has not.
const PACKAGE_VARIABLES: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// The fixtures beside the harness.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SiblingExecutables {
    /// The reference agent.
    pub agent_stub: Utf8PathBuf,
    /// The app of the guide.
    pub helloworld: Utf8PathBuf,
}

/// Returns the fixtures beside the running executable. Under cargo, in a checkout, they are built
/// first with the same profile.
///
/// This blocks: call it where blocking is allowed.
///
/// # Errors
///
/// When the build fails, or a fixture is not there.
pub fn build_siblings() -> Result<SiblingExecutables, ExecutableError> {
    let place = BuildPlace::of(&own_executable()?);
    if let Some(cargo) = env::var_os("CARGO")
        && let Some(workspace) = workspace()
        && let Some(arguments) = place.cargo_arguments()
    {
        run_cargo(cargo, workspace, &arguments)?;
    }
    place.siblings()
}

/// Returns the path of the running executable.
pub(super) fn own_executable() -> Result<Utf8PathBuf, ExecutableError> {
    let own = env::current_exe().map_err(|source| ExecutableError::Io {
        action: "find the running executable".into(),
        source,
    })?;
    Utf8PathBuf::from_path_buf(own).map_err(|path| ExecutableError::NotUtf8 {
        path: path.to_string_lossy().into_owned(),
    })
}

/// Returns the checkout that the harness was built from, if it is still there.
pub(super) fn workspace() -> Option<&'static Utf8Path> {
    let workspace = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    workspace.join("Cargo.toml").exists().then_some(workspace)
}

/// Returns the arguments that make cargo build these executables. The whole workspace is named, since cargo chooses the features of
/// dependencies by what is named: another choice would build them once more.
pub(super) fn build_arguments(executables: &[&str], profile: &str) -> Vec<String> {
    let mut arguments = ["build", "--quiet", "--workspace", "--profile", profile]
        .map(String::from)
        .to_vec();
    for executable in executables {
        arguments.extend(["--bin".into(), (*executable).into()]);
    }
    arguments
}

/// Where cargo put the running executable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct BuildPlace {
    folder: Utf8PathBuf,
}

impl BuildPlace {
    /// Cargo puts programs into `target/<profile>/` and tests into `target/<profile>/deps/`.
    pub(super) fn of(own_executable: &Utf8Path) -> Self {
        let folder = own_executable.parent().unwrap_or(Utf8Path::new("/"));
        let folder = match (folder.file_name(), folder.parent()) {
            (Some("deps"), Some(profile_folder)) => profile_folder,
            _ => folder,
        };
        Self::at(folder.to_owned())
    }

    /// The place whose executables lie in this folder.
    pub(super) const fn at(folder: Utf8PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the arguments that make cargo put the fixtures into this very place; none where it
    /// is no place of cargo's.
    pub(super) fn cargo_arguments(&self) -> Option<Vec<String>> {
        let parent = self.folder.parent()?;
        let mut arguments = build_arguments(&[AGENT_STUB, HELLOWORLD], self.profile()?);
        let target_folder = self.target_folder()?;
        if target_folder != parent {
            let target = parent.file_name()?;
            arguments.extend(["--target".into(), target.into()]);
        }
        arguments.extend(["--target-dir".into(), target_folder.to_string()]);
        Some(arguments)
    }

    /// Returns the profile whose executables lie here, by the name that `--profile` takes.
    pub(super) fn profile(&self) -> Option<&str> {
        match self.folder.file_name()? {
            "debug" => Some("dev"),
            other => Some(other),
        }
    }

    /// Returns the place beside this one whose executables are built for `target`.
    pub(super) fn for_target(&self, target: &str) -> Option<Self> {
        let profile_folder = self.folder.file_name()?;
        Some(Self::at(
            self.target_folder()?.join(target).join(profile_folder),
        ))
    }

    /// Returns cargo's target folder; none where the place is none of cargo's.
    pub(super) fn target_folder(&self) -> Option<&Utf8Path> {
        let parent = self.folder.parent()?;
        // With `--target`, the folder above the profile's is named after the target.
        let is_named_after_target = parent
            .file_name()
            .is_some_and(|name| name.matches('-').count() >= 2);
        match parent.parent() {
            Some(above) if is_named_after_target && is_target_folder(above) => Some(above),
            Some(_) | None => is_target_folder(parent).then_some(parent),
        }
    }

    pub(super) fn siblings(&self) -> Result<SiblingExecutables, ExecutableError> {
        Ok(SiblingExecutables {
            agent_stub: self.sibling(AGENT_STUB)?,
            helloworld: self.sibling(HELLOWORLD)?,
        })
    }

    pub(super) fn sibling(&self, name: &str) -> Result<Utf8PathBuf, ExecutableError> {
        let path = self.folder.join(name);
        if !path.is_file() {
            return Err(ExecutableError::SiblingMissing { path });
        }
        Ok(path)
    }
}

/// Cargo marks its target folder with this file.
fn is_target_folder(folder: &Utf8Path) -> bool {
    folder.join("CACHEDIR.TAG").exists() || folder.join(".rustc_info.json").exists()
}

/// Runs cargo to its end in the workspace, whose settings it finds by that.
pub(super) fn run_cargo(
    cargo: OsString,
    workspace: &Utf8Path,
    arguments: &[String],
) -> Result<(), ExecutableError> {
    let program = cargo.to_string_lossy().into_owned();
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(workspace);
    for variable in REMOVED_VARIABLES {
        command.env_remove(variable);
    }
    for (variable, _) in env::vars_os() {
        if is_of_package(&variable) {
            command.env_remove(variable);
        }
    }
    let finished = run_bounded(&mut command, BUILD_BOUNDS).map_err(|error| match error {
        CommandError::Io(source) => ExecutableError::Io {
            action: format!("run `{program}`"),
            source,
        },
        CommandError::TimedOut { limit } => ExecutableError::ProgramTimedOut { program, limit },
    })?;
    if !finished.status.success() {
        return Err(ExecutableError::BuildFailed {
            output: printable(&finished.stderr),
        });
    }
    Ok(())
}

fn is_of_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    PACKAGE_VARIABLES
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("CARGO_MANIFEST_DIR", true)]
    #[case("CARGO_PKG_VERSION_MAJOR", true)]
    #[case("CARGO_HOME", false)]
    #[case("CARGO_TARGET_DIR", false)]
    #[case("CARGO_BUILD_JOBS", false)]
    fn only_what_describes_the_outer_package_is_kept_from_the_inner_cargo(
        #[case] variable: &str,
        #[case] is_kept_away: bool,
    ) {
        assert_eq!(is_of_package(OsStr::new(variable)), is_kept_away);
    }

    /// Makes a target folder with an executable's place in it.
    fn place(below_target: &str) -> (tempfile::TempDir, BuildPlace) {
        let root = tempfile::tempdir().expect("a folder");
        let target = Utf8Path::from_path(root.path())
            .expect("UTF-8")
            .join("target");
        let own = target.join(below_target);
        fs_err::create_dir_all(own.parent().expect("a folder")).expect("writable");
        fs_err::write(target.join("CACHEDIR.TAG"), "").expect("writable");
        (root, BuildPlace::of(&own))
    }

    #[rstest]
    #[case("debug/conformance", "--profile dev", None)]
    #[case("debug/deps/conformance-1a2b", "--profile dev", None)]
    #[case("release/conformance", "--profile release", None)]
    #[case("bench/conformance", "--profile bench", None)]
    #[case(
        "x86_64-unknown-linux-musl/release/conformance",
        "--profile release",
        Some("--target x86_64-unknown-linux-musl")
    )]
    fn the_fixtures_are_built_into_the_place_of_the_harness(
        #[case] own: &str,
        #[case] profile: &str,
        #[case] target: Option<&str>,
    ) {
        let (root, place) = place(own);
        let arguments = place
            .cargo_arguments()
            .expect("a place of cargo's")
            .join(" ");
        assert!(
            arguments.contains("--workspace")
                && arguments.contains("--bin agent-stub --bin helloworld"),
            "{arguments}"
        );
        assert!(arguments.contains(profile), "{arguments}");
        assert_eq!(
            arguments.contains("--target "),
            target.is_some(),
            "{arguments}"
        );
        assert!(
            arguments.contains(target.unwrap_or_default()),
            "{arguments}"
        );
        let folder = format!("--target-dir {}", root.path().join("target").display());
        assert!(arguments.ends_with(&folder), "{arguments}");
    }

    #[test]
    fn an_installed_harness_builds_nothing() {
        let place = BuildPlace::of(Utf8Path::new("/usr/local/bin/conformance"));
        assert_eq!(place.cargo_arguments(), None);
    }

    #[test]
    fn a_missing_fixture_is_named() {
        let (_root, place) = place("debug/conformance");
        let error = place.siblings().expect_err("nothing was built");
        assert!(error.to_string().contains("debug/agent-stub"), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_failed_build_shows_what_the_compiler_said() {
        let error = run_cargo(
            "sh".into(),
            "/".into(),
            &["-c".into(), "echo oh no >&2; exit 101".into()],
        )
        .expect_err("it failed");
        assert!(error.to_string().contains("oh no"), "{error}");
    }
}
