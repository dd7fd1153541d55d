//! `conformance images`: makes the images that a cluster needs, and says where they lie.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::report::terminal::{remark, say};
use crate::run::exit_code;
use crate::run::programs::{agent_or_carried, application_or_carried, own_executable};
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::locate;
use harness_artifacts::image::{ImageRole, build_image, prune_archives};

/// Options of `images`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Put the archives here [default: `target/conformance-images` in the project].
    #[arg(long, value_name = "DIR")]
    output: Option<Utf8PathBuf>,

    /// Make these images only.
    #[arg(long = "only", value_enum, value_name = "ROLE")]
    roles: Vec<ImageRole>,

    #[command(flatten)]
    executables: ExecutableOptions,

    #[command(flatten)]
    project: ProjectOptions,
}

const AFTER_HELP: &str = "\
No container engine and no registry is needed. The reference stub and helloworld are what this executable carries; Envoy, and any \
executable that is linked dynamically, goes in with the libraries that it links. The same executables give the same tag.

Each line says name, digest, size and archive, with tabs between them. An archive can be loaded with
  kind load image-archive ARCHIVE --name CLUSTER
  k3d image import ARCHIVE --cluster CLUSTER
  docker load --input ARCHIVE
  ctr --namespace k8s.io images import ARCHIVE";

/// Makes the images.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let folder = match &arguments.output {
        Some(folder) => camino::absolute_utf8(folder)?,
        None => arguments.project.project()?.archives,
    };
    for role in ImageRole::ALL {
        if !arguments.roles.is_empty() && !arguments.roles.contains(&role) {
            continue;
        }
        let executable = find_executable(arguments, role)?;
        let image = build_image(role, &executable, &folder)?;
        say(format_args!(
            "{}\t{}\t{}\t{}",
            image.name, image.digest, image.size, image.archive
        ))?;
    }
    if arguments.output.is_none() {
        prune_archives(&folder)?;
    }
    Ok(exit_code::PASSED)
}

fn find_executable(arguments: &Arguments, role: ImageRole) -> Result<Utf8PathBuf, SetupError> {
    let given = &arguments.executables;
    let own = own_executable()?;
    match role {
        ImageRole::Agent => agent_or_carried(given.agent_binary.as_deref(), &own),
        ImageRole::Application => application_or_carried(given.app_binary.as_deref(), &own),
        ImageRole::Driver => Ok(own),
        ImageRole::Proxy => Ok(locate(&given.envoy()?, &mut |step| remark(step))?.path),
    }
}
