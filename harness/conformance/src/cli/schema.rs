//! `conformance schema`: the JSON Schema of a file format, made from the code.

use clap::Args;

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

/// Prints a schema.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    say(arguments.format.text().trim_end())?;
    Ok(exit_code::PASSED)
}
