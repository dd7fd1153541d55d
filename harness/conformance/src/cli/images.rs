//! `conformance images`: makes the images that a cluster needs, and says where they lie.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::report::terminal::{remark, say};
use crate::run::exit_code;
use crate::run::folders::image_folder;
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::{ImageExecutables, build_for_images, locate};
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
No container engine and no registry is needed. The reference stub, helloworld and the harness are linked statically; Envoy, \
and any other executable that is given, goes in with the libraries that it links. The same executables give the same tag.

Each line says name, digest, size and archive, with tabs between them. An archive can be loaded with
  kind load image-archive ARCHIVE --name CLUSTER
  k3d image import ARCHIVE --cluster CLUSTER
  docker load --input ARCHIVE
  ctr --namespace k8s.io images import ARCHIVE";

/// Makes the images.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let folder = match &arguments.output {
        Some(folder) => camino::absolute_utf8(folder)?,
        None => image_folder(&arguments.project.project()?.root),
    };
    let mut checkout = Checkout::default();
    for role in ImageRole::ALL {
        if !arguments.roles.is_empty() && !arguments.roles.contains(&role) {
            continue;
        }
        let executable = find_executable(arguments, role, &mut checkout)?;
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

/// The executables of the checkout, built when the first of them is asked for.
#[derive(Debug, Default)]
struct Checkout {
    built: Option<ImageExecutables>,
}

impl Checkout {
    fn executables(&mut self) -> Result<&ImageExecutables, SetupError> {
        if self.built.is_none() {
            remark("building the executables; the first time takes minutes");
            self.built = Some(build_for_images()?);
        }
        Ok(self.built.as_ref().expect("it has been built above"))
    }
}

fn find_executable(
    arguments: &Arguments,
    role: ImageRole,
    checkout: &mut Checkout,
) -> Result<Utf8PathBuf, SetupError> {
    match role {
        ImageRole::Agent => match &arguments.executables.agent_binary {
            Some(path) => Ok(path.clone()),
            None => Ok(checkout.executables()?.agent_stub.clone()),
        },
        ImageRole::Application => match &arguments.executables.app_binary {
            Some(path) => Ok(path.clone()),
            None => Ok(checkout.executables()?.helloworld.clone()),
        },
        ImageRole::Driver => Ok(checkout.executables()?.conformance.clone()),
        ImageRole::Proxy => {
            let selection = arguments.executables.envoy()?;
            Ok(locate(&selection, &mut |step| remark(step))?.path)
        }
    }
}
