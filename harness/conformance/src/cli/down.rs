//! `conformance down`: removes the clusters that are kept between runs.

use clap::Args;

use super::error::CliError;
use super::up::ToolChoice;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::setup_error::SetupError;
use harness_environment::kube::{LeaseFolder, Removal, down};

/// Options of `down`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only clusters of this tool.
    #[arg(long, value_enum)]
    environment: Option<ToolChoice>,

    /// Remove the clusters that `conformance run --keep` has left, too.
    #[arg(long)]
    kept: bool,
}

/// Removes the clusters, and says which ones.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let removal = if arguments.kept {
        Removal::All
    } else {
        Removal::OfUp
    };
    let leases = LeaseFolder::of_user().map_err(SetupError::from)?;
    let tool = arguments.environment.map(ToolChoice::tool);
    let done = runtime
        .block_on(down(&leases, tool, removal))
        .map_err(SetupError::from)?;
    for name in &done.removed {
        say(format_args!("removed {name}"))?;
    }
    for name in &done.left {
        say(format_args!(
            "left {name}, which `run --keep` has left: `conformance down --kept` removes it"
        ))?;
    }
    if done.removed.is_empty() && done.left.is_empty() {
        say("no cluster is kept")?;
    }
    Ok(exit_code::PASSED)
}
