//! `conformance manual`: pages for man(1), made from the same definitions as `--help`.

use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::error::CliError;
use crate::report::terminal::say;
use crate::run::exit_code;

/// Options of `manual`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The page of this command, as in `conformance manual run`. Default: the page that names them all.
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

const AFTER_HELP: &str = "\
`conformance manual run > conformance-run.1` makes a file that `man ./conformance-run.1` shows.";

/// Prints a page.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let mut whole = super::Arguments::command();
    whole.build();
    let page = match &arguments.command {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Ok(refuse(&mut whole, name)),
        },
    };
    let mut text = Vec::new();
    Man::new(page).manual("conformance").render(&mut text)?;
    say(String::from_utf8_lossy(&text).trim_end())?;
    Ok(exit_code::PASSED)
}

/// Says that there is no such command; returns the exit code for it.
fn refuse(whole: &mut Command, name: &str) -> u8 {
    let names: Vec<&str> = whole.get_subcommands().map(Command::get_name).collect();
    let words = format!(
        "there is no command `{name}`\n\nhint: the commands are {}",
        names.join(", ")
    );
    let error = whole.error(ErrorKind::InvalidSubcommand, words);
    // Where standard error takes nothing, the exit code still says it.
    let _ = error.print();
    exit_code::USAGE
}
