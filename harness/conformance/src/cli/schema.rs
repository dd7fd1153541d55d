//! `conformance schema` and `conformance completions`: files that are made from the code.

use clap::{Args, CommandFactory};

use super::error::CliError;
use crate::report::schema::Format;
use crate::report::terminal::say;
use crate::run::exit_code;

/// Options of `schema`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The format.
    #[arg(value_enum)]
    format: Format,
}

/// Options of `completions`.
#[derive(Args, Debug)]
pub(super) struct CompletionArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Prints a schema.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    say(arguments.format.text().trim_end())?;
    Ok(exit_code::PASSED)
}

/// Prints a completion script.
#[expect(clippy::unnecessary_wraps, reason = "all subcommands have one shape")]
pub(super) fn completions(arguments: &CompletionArguments) -> Result<u8, CliError> {
    let mut command = super::Arguments::command();
    clap_complete::generate(
        arguments.shell,
        &mut command,
        "conformance",
        &mut std::io::stdout(),
    );
    Ok(exit_code::PASSED)
}
