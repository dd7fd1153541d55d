//! Builds the executables that go into images: linked statically, so that an image needs nothing besides.

use std::env;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};

use super::workspace::{
    AGENT_STUB, BuildPlace, HELLOWORLD, own_executable, run_cargo, workspace_manifest,
};
use crate::executable::error::ExecutableError;

/// The harness's own package and executable.
const HARNESS: &str = "harness";
const CONFORMANCE: &str = "conformance";

/// What says otherwise how executables are linked, and comes before what is said here.
const OTHER_FLAGS: [&str; 2] = ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// The executables that images are made of, besides Envoy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImageExecutables {
    /// The reference agent.
    pub agent_stub: Utf8PathBuf,
    /// The app of the guide.
    pub helloworld: Utf8PathBuf,
    /// The harness.
    pub conformance: Utf8PathBuf,
}

/// Returns the executables for images. In a checkout they are built first, statically and in the release profile, below the
/// folder of their target; an installed harness takes itself and what lies beside it, however they are linked.
///
/// This blocks: call it where blocking is allowed. The first build takes minutes.
///
/// # Errors
///
/// When the build fails, for want of a static C library for example, or an executable is not there.
pub fn build_for_images() -> Result<ImageExecutables, ExecutableError> {
    let own = own_executable()?;
    let place = BuildPlace::of(&own);
    let (Some(target_folder), Some(manifest)) = (place.target_folder(), workspace_manifest())
    else {
        let siblings = place.siblings()?;
        return Ok(ImageExecutables {
            agent_stub: siblings.agent_stub,
            helloworld: siblings.helloworld,
            conformance: own,
        });
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let target = target();
    run_cargo(
        cargo,
        &arguments(manifest, target_folder, &target),
        &OTHER_FLAGS,
    )
    .map_err(explain_missing_library)?;
    let folder = BuildPlace::at(target_folder.join(target).join("release"));
    Ok(ImageExecutables {
        agent_stub: folder.sibling(AGENT_STUB)?,
        helloworld: folder.sibling(HELLOWORLD)?,
        conformance: folder.sibling(CONFORMANCE)?,
    })
}

/// Returns this machine's target. It is named even though it is the default: without a name the flags would reach procedural
/// macros, which cannot be static.
fn target() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}

fn arguments(manifest: &Utf8Path, target_folder: &Utf8Path, target: &str) -> Vec<String> {
    let mut arguments: Vec<String> = ["build", "--quiet", "--release", "--manifest-path"]
        .map(String::from)
        .to_vec();
    arguments.push(manifest.to_string());
    for package in [AGENT_STUB, HELLOWORLD, HARNESS] {
        arguments.extend(["--package".into(), package.into()]);
    }
    for executable in [AGENT_STUB, HELLOWORLD, CONFORMANCE] {
        arguments.extend(["--bin".into(), executable.into()]);
    }
    arguments.extend(["--target".into(), target.into()]);
    arguments.extend([
        "--config".into(),
        format!(r#"target.{target}.rustflags=["-C","target-feature=+crt-static"]"#),
    ]);
    arguments.extend(["--target-dir".into(), target_folder.to_string()]);
    arguments
}

/// Tells a machine without static libraries from code that does not compile.
fn explain_missing_library(error: ExecutableError) -> ExecutableError {
    match error {
        ExecutableError::BuildFailed { output } if lacks_library(&output) => {
            ExecutableError::StaticLibraryMissing { output }
        }
        other => other,
    }
}

/// Tells whether a linker says that it has no library. The linkers of GNU and LLVM say it in these two ways.
fn lacks_library(output: &str) -> bool {
    ["cannot find -l", "unable to find library -l"]
        .iter()
        .any(|complaint| output.contains(complaint))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn cargo_is_told_to_link_statically_for_a_named_target() {
        let arguments = arguments("/w/Cargo.toml".into(), "/w/target".into(), "a-b-c").join(" ");
        assert!(arguments.contains("--target a-b-c"), "{arguments}");
        let flags = r#"target.a-b-c.rustflags=["-C","target-feature=+crt-static"]"#;
        assert!(arguments.contains(flags), "{arguments}");
        assert!(arguments.contains("--bin conformance"), "{arguments}");
        assert!(arguments.ends_with("--target-dir /w/target"), "{arguments}");
    }

    #[rstest]
    #[case("/usr/bin/ld: cannot find -lc: No such file or directory", true)]
    #[case("rust-lld: error: unable to find library -lm", true)]
    #[case("error[E0425]: cannot find value `x` in this scope", false)]
    fn a_linker_without_static_libraries_is_told_from_other_failures(
        #[case] output: &str,
        #[case] is_missing: bool,
    ) {
        let output = output.to_owned();
        let error = explain_missing_library(ExecutableError::BuildFailed { output });
        let found = matches!(error, ExecutableError::StaticLibraryMissing { .. });
        assert_eq!(found, is_missing, "{error}");
        assert!(error.hint().is_some());
    }
}
