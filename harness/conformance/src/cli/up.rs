//! `conformance up`: makes a cluster that is kept between runs, with the images in it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::cluster_options::nodes_parser;
use super::error::CliError;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::report::terminal::{remark, say};
use crate::run::exit_code::{self, EndingSignal};
use crate::run::folders::{cluster_records, make_runtime_folder};
use crate::run::programs::{GivenBinaries, make_images, own_executable};
use crate::run::runtime::runtime;
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::locate;
use harness_core::model::identity::RunId;
use harness_core::model::timespan::TimeSpan;
use harness_environment::kube::{
    ClusterNodes, ClusterTool, Lease, LeaseFolder, LeasePurpose, Raised, UpOptions, sweep,
    try_tool, up,
};

/// The longest time for which a cluster is kept.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Options of `up`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// What makes the cluster.
    #[arg(long, value_enum, default_value_t = ToolChoice::Kind)]
    environment: ToolChoice,

    /// The image of the cluster's nodes, which chooses the version of Kubernetes. Default: the newest that Docker already has, else
    /// the tool's own choice.
    #[arg(long, value_name = "IMAGE")]
    node_image: Option<String>,

    /// How many nodes the cluster has, each of which takes pods. Default: 1, or those of a cluster that is kept already.
    #[arg(long, value_name = "N", value_parser = nodes_parser())]
    nodes: Option<u8>,

    /// For how long from now on the cluster is kept: `30m`, `2h`. After that the next run removes it.
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = parse_lasting)]
    lasting: TimeSpan,

    #[command(flatten)]
    executables: ExecutableOptions,

    #[command(flatten)]
    project: ProjectOptions,
}

const AFTER_HELP: &str = "\
`conformance run --environment kind` (or k3d) then uses this cluster instead of making one, loads only the images that have \
changed, and leaves the cluster there; so does `cargo test --test conformance`. Where a cluster is kept already, its images are \
brought up to date and it is kept for longer.

What is known of the cluster is written to `~/.local/state/conformance/clusters`, its kubeconfig among it; your own kubeconfig is \
not touched. `conformance down` removes the cluster. So does the next run, `up` or `clean` when its time is over and no run uses it.";

/// What can make a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum ToolChoice {
    /// k3s in Docker.
    K3d,
    /// Kubernetes in Docker.
    Kind,
}

impl ToolChoice {
    /// Returns the tool.
    pub(super) const fn tool(self) -> ClusterTool {
        match self {
            Self::K3d => ClusterTool::K3d,
            Self::Kind => ClusterTool::Kind,
        }
    }
}

fn parse_lasting(text: &str) -> Result<TimeSpan, String> {
    let span: TimeSpan = text
        .parse()
        .map_err(|error: harness_core::model::timespan::ParseTimeSpanError| error.to_string())?;
    let is_fit = span.as_duration() > Duration::ZERO && span.as_duration() <= LONGEST;
    if is_fit {
        Ok(span)
    } else {
        Err(format!("write a time of up to {}", TimeSpan::new(LONGEST)))
    }
}

/// How the work on a cluster came to its end.
enum RaiseEnd {
    Raised(Raised),
    Signalled(EndingSignal),
}

/// Makes the cluster, or keeps the one that is there for longer.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let runtime = runtime().map_err(CliError::Runtime)?;
    let raised = runtime.block_on(async {
        // Whoever is interrupted drops what he makes, and with it the cluster.
        tokio::select! {
            raised = raise(arguments) => raised.map(RaiseEnd::Raised),
            signal = interrupted() => Ok(RaiseEnd::Signalled(signal)),
        }
    });
    runtime.shutdown_background();
    match raised? {
        RaiseEnd::Raised(Raised::Made(lease)) => describe("made", &lease),
        RaiseEnd::Raised(Raised::WasThere(lease)) => describe("kept for longer", &lease),
        RaiseEnd::Signalled(signal) => Ok(signal.exit_code()),
    }
}

async fn raise(arguments: &Arguments) -> Result<Raised, CliError> {
    let tool = arguments.environment.tool();
    let project = arguments.project.project()?;
    let leases = LeaseFolder::of_user().map_err(SetupError::from)?;
    try_tool(tool).await.map_err(SetupError::from)?;
    let records = cluster_records(&make_runtime_folder()?);
    let swept = sweep(&records, &leases).await.map_err(SetupError::from)?;
    if !swept.is_empty() {
        remark(format_args!(
            "removed clusters of earlier runs: {}",
            swept.join(", ")
        ));
    }
    let executables = &arguments.executables;
    let envoy =
        locate(&executables.envoy()?, &mut |step| remark(step)).map_err(SetupError::from)?;
    let given = GivenBinaries {
        agent: executables.agent_binary.as_deref(),
        application: executables.app_binary.as_deref(),
    };
    let say = |what: &str| remark(what);
    let built = make_images(
        &own_executable()?,
        &envoy.path,
        &given,
        &project.archives,
        &say,
    )
    .await?;
    let options = UpOptions {
        tool,
        nodes: ClusterNodes {
            image: arguments.node_image.clone(),
            count: arguments.nodes,
        },
        lasting: arguments.lasting,
        run: RunId::generate(Timestamp::now(), std::process::id()),
        built,
        leases,
        records,
    };
    Ok(Box::pin(up(options, &say))
        .await
        .map_err(SetupError::from)?)
}

async fn interrupted() -> EndingSignal {
    let (Ok(mut interrupted), Ok(mut terminated)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    let signal = tokio::select! {
        _ = interrupted.recv() => EndingSignal::Interrupt,
        _ = terminated.recv() => EndingSignal::Terminate,
    };
    remark("interrupted: removing the cluster");
    signal
}

fn describe(what: &str, lease: &Lease) -> Result<u8, CliError> {
    let until = match lease.purpose {
        LeasePurpose::ForRunsUntil(until) => format!(" until {until:.0}"),
        LeasePurpose::ToLookAt => String::new(),
    };
    say(format_args!(
        "{}: {what}, kept{until}\nkubeconfig: {}\nruns use it with `--environment {}`; `conformance down` removes it",
        lease.name,
        lease.kubeconfig,
        lease.tool.name()
    ))?;
    Ok(exit_code::PASSED)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0s")]
    #[case("2")]
    #[case("9999h")]
    #[case("-1h")]
    fn a_cluster_is_kept_for_a_time_that_has_an_end(#[case] text: &str) {
        assert!(parse_lasting(text).is_err());
    }

    #[test]
    fn a_time_has_its_unit() {
        let span = parse_lasting("90m").expect("valid");
        assert_eq!(span.as_duration(), Duration::from_mins(90));
    }
}
