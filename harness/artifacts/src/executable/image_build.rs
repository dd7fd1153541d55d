//! Builds the executables that go into images, linked as the workspace's settings say: statically, so that an image needs nothing besides.

use std::env;
use std::ffi::OsString;

use camino::Utf8PathBuf;

use super::workspace::{
    AGENT_STUB, BuildPlace, HELLOWORLD, build_arguments, own_executable, run_cargo, workspace,
};
use crate::executable::error::ExecutableError;

/// The harness's own executable.
const CONFORMANCE: &str = "conformance";

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

/// Returns the executables for images. In a checkout they are built first, in the profile of the running
/// one, below the folder of their target; an installed harness takes itself and what lies beside it, however they are linked.
///
/// This blocks: call it where blocking is allowed. The first build takes minutes.
///
/// # Errors
///
/// When the build fails, or an executable is not there.
pub fn build_for_images() -> Result<ImageExecutables, ExecutableError> {
    let own = own_executable()?;
    let place = BuildPlace::of(&own);
    // Named although the workspace's settings name it: the executables are looked for there.
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let (Some(target_folder), Some(profile), Some(built), Some(workspace)) = (
        place.target_folder(),
        place.profile(),
        place.for_target(&target),
        workspace(),
    ) else {
        let siblings = place.siblings()?;
        return Ok(ImageExecutables {
            agent_stub: siblings.agent_stub,
            helloworld: siblings.helloworld,
            conformance: own,
        });
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut arguments = build_arguments(&[AGENT_STUB, HELLOWORLD, CONFORMANCE], profile);
    arguments.extend(["--target".into(), target]);
    arguments.extend(["--target-dir".into(), target_folder.to_string()]);
    run_cargo(cargo, workspace, &arguments)?;
    Ok(ImageExecutables {
        agent_stub: built.sibling(AGENT_STUB)?,
        helloworld: built.sibling(HELLOWORLD)?,
        conformance: built.sibling(CONFORMANCE)?,
    })
}
