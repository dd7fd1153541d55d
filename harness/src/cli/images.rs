//! `conformance images`: makes the images that a cluster needs, and says where they lie.

use camino::Utf8PathBuf;
use clap::Args;

use super::error::CliError;
use super::options::ProjectOptions;
use crate::executable::{EnvoySelection, build_for_images, locate};
use crate::image::{ImageRole, ImageSources, build_image};
use crate::report::terminal::{remark, say};
use crate::run::exit_code;
use crate::run::setup::{SetupError, image_folder};

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

    /// The Envoy for the proxy's image: a path or a version.
    #[arg(long, value_name = "PATH|VERSION")]
    envoy: Option<String>,

    /// The agent's executable [default: the reference stub, built from the checkout].
    #[arg(long, value_name = "PATH")]
    agent_binary: Option<Utf8PathBuf>,

    /// The application's executable [default: helloworld, built from the checkout].
    #[arg(long, value_name = "PATH")]
    app_binary: Option<Utf8PathBuf>,

    #[command(flatten)]
    project: ProjectOptions,
}

const AFTER_HELP: &str = "\
No container engine and no registry is needed. The reference stub, helloworld and the harness are linked statically; Envoy,
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
    let sources = sources(arguments)?;
    for role in ImageRole::ALL {
        if !arguments.roles.is_empty() && !arguments.roles.contains(&role) {
            continue;
        }
        let image = build_image(role, sources.of(role), &folder)?;
        say(format_args!(
            "{}\t{}\t{}\t{}",
            image.name, image.digest, image.size, image.archive
        ))?;
    }
    Ok(exit_code::PASSED)
}

fn sources(arguments: &Arguments) -> Result<ImageSources, CliError> {
    remark("building the executables; the first time takes minutes");
    let built = build_for_images().map_err(SetupError::from)?;
    let variable = std::env::var_os("ENVOY");
    let proxy = EnvoySelection::choose(arguments.envoy.as_deref(), variable.as_deref())
        .and_then(|selection| locate(&selection, &mut |step| remark(step)))
        .map_err(SetupError::from)?
        .path;
    Ok(ImageSources {
        agent: arguments.agent_binary.clone().unwrap_or(built.agent_stub),
        application: arguments.app_binary.clone().unwrap_or(built.helloworld),
        proxy,
        driver: built.conformance,
    })
}
