//! `conformance clean`: removes what runs that did not end properly have left, on this machine and in clusters.

use camino::Utf8Path;
use clap::Args;

use super::error::CliError;
use super::options::ProjectOptions;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::folders::{cluster_records, runtime_folder};
use crate::run::setup_error::SetupError;
use harness_environment::EnvironmentFault;
use harness_environment::kube::{self, ClusterTool, LeaseFolder};
use harness_environment::local::sweep;

/// Options of `clean`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Remove the reports and evidence of all earlier runs too.
    #[arg(long)]
    reports: bool,

    /// Clean the cluster of this context of the kubeconfig, too. Only namespaces of runs whose process on this machine is gone
    /// are removed.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,

    #[command(flatten)]
    project: ProjectOptions,
}

/// Removes what is left.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let runtime = runtime_folder();
    let swept = sweep(&runtime).map_err(|source| CliError::Clean {
        path: runtime.clone(),
        source,
    })?;
    say(format_args!(
        "removed the leavings of {} runs and {} processes; {} runs are under way",
        swept.removed.len(),
        swept.killed.len(),
        swept.in_use.len()
    ))?;
    clean_clusters(&runtime, arguments.context.as_deref())?;
    if arguments.reports {
        let project = arguments.project.project()?;
        for path in [project.runs, project.self_tests] {
            match fs_err::remove_dir_all(&path) {
                Ok(()) => say(format_args!("removed {path}"))?,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(CliError::Clean { path, source }),
            }
        }
    }
    Ok(exit_code::PASSED)
}

/// Removes clusters that dead runs have made, kept clusters whose time is over, and what dead runs left in a user's cluster.
fn clean_clusters(runtime_folder: &Utf8Path, context: Option<&str>) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let leases = LeaseFolder::of_user().map_err(SetupError::from)?;
    let (clusters, namespaces) = runtime
        .block_on(async {
            let mut clusters = kube::sweep(&cluster_records(runtime_folder), &leases).await?;
            clusters.extend(kube::sweep_leases(&leases, &ClusterTool::ALL).await?);
            let namespaces = match context {
                Some(name) => kube::sweep_context(Some(name.to_owned())).await?,
                None => Vec::new(),
            };
            Ok::<_, EnvironmentFault>((clusters, namespaces))
        })
        .map_err(SetupError::from)?;
    for cluster in clusters {
        say(format_args!("removed the cluster {cluster}"))?;
    }
    for namespace in namespaces {
        say(format_args!("removed the namespace {namespace}"))?;
    }
    Ok(())
}
