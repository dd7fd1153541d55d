//! `conformance clean`: removes what runs that did not end properly have left.

use clap::Args;

use super::error::CliError;
use super::options::ProjectOptions;
use crate::environment::local::sweep;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::setup::runtime_folder;

/// Options of `clean`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Remove the reports and evidence of all earlier runs too.
    #[arg(long)]
    reports: bool,

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
    if arguments.reports {
        let path = arguments.project.project()?.root.join("target/conformance");
        match fs_err::remove_dir_all(&path) {
            Ok(()) => say(format_args!("removed {path}"))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(CliError::Clean { path, source }),
        }
    }
    Ok(exit_code::PASSED)
}
