//! `conformance doctor`: in which environments a run could start on this machine, what is missing, and how to get it. Changes nothing.

use clap::Args;

use super::cluster_options::environment_parser;
use super::error::CliError;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::report::terminal::say;
use crate::run::runtime::runtime;
use harness_core::model::diagnostic::Colour;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_environment::kube::ClusterTool;

use self::check::{Check, Section, SectionName};
use self::diagnosis::Diagnosis;

mod check;
mod clusters;
mod diagnosis;
mod existing;
mod local;
mod project;

/// The environments in the order in which they are spoken of: those first that need least.
const IN_ORDER: [EnvironmentKind; 4] = [
    EnvironmentKind::Local,
    EnvironmentKind::Kind,
    EnvironmentKind::K3d,
    EnvironmentKind::Existing,
];

/// Options of `doctor`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Check this environment only, and let the exit code speak of it. Default: all, and the exit code speaks of the one that
    /// `conformance.yaml` names, else of `local`.
    #[arg(long, value_parser = environment_parser())]
    environment: Option<EnvironmentKind>,

    /// With `existing`: the context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    executables: ExecutableOptions,

    #[command(flatten)]
    project: ProjectOptions,
}

const AFTER_HELP: &str = "\
Each line is `ok`, `missing` or `unknown`, with what was found; a `fix:` line says what mends it. `unknown` is what did not answer in its \
time, and what shows only when a run starts, such as whether an image can be pulled.

Exit codes: 0 where `run` could start in the environment (the one of `conformance.yaml` or `local` when none is named), 3 where it could not.";

/// Checks everything that a run needs.
pub(super) fn main(arguments: &Arguments, colour: Colour) -> Result<u8, CliError> {
    let configured = arguments.project.configuration()?;
    let configured = configured.map(|configuration| configuration.content);
    let configured = configured.unwrap_or_default();
    let executables = arguments.executables.or_as_configured(&configured);
    let runtime = runtime().map_err(CliError::Runtime)?;
    let sections = runtime.block_on(Box::pin(examine(arguments, executables)));
    // What hangs has been said; it must not hold the command up.
    runtime.shutdown_background();
    let usual = configured.environment.unwrap_or(EnvironmentKind::Local);
    let diagnosis = Diagnosis::of(arguments.environment, usual, sections);
    if arguments.json {
        say(serde_json::to_string_pretty(&diagnosis).unwrap_or_default())?;
    } else {
        say(diagnosis.render(colour))?;
    }
    Ok(diagnosis.exit_code)
}

async fn examine(arguments: &Arguments, executables: ExecutableOptions) -> Vec<Section> {
    let wanted = |kind: EnvironmentKind| arguments.environment.is_none_or(|only| only == kind);
    let options = (executables, arguments.project.clone());
    let project = blocking("project", move || project::examine(&options.0, &options.1));
    let local = async {
        if wanted(EnvironmentKind::Local) {
            Some(Section::new(SectionName::Local, local::examine().await))
        } else {
            None
        }
    };
    let tools: Vec<ClusterTool> = ClusterTool::ALL
        .into_iter()
        .filter(|tool| wanted(tool.kind()))
        .collect();
    let clusters = Box::pin(clusters::examine(&tools));
    let existing = async {
        if wanted(EnvironmentKind::Existing) {
            let checks = Box::pin(existing::examine(arguments.context.clone())).await;
            Some(Section::new(SectionName::Existing, checks))
        } else {
            None
        }
    };
    let (project, local, clusters, existing) = tokio::join!(project, local, clusters, existing);
    let mut sections = vec![Section::new(SectionName::Project, project)];
    sections.extend(local);
    sections.extend(clusters);
    sections.extend(existing);
    sections
}

/// Does what blocks where blocking is allowed.
async fn blocking(
    what: &'static str,
    work: impl FnOnce() -> Vec<Check> + Send + 'static,
) -> Vec<Check> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let fix = "this is a bug in the harness: report it with this line";
        vec![Check::unanswered(what, error, [fix])]
    })
}
