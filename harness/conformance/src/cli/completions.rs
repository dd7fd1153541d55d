//! `conformance completions`: makes a shell complete commands, options, and the names of the project's scenarios and profiles.
//!
//! The script that is printed calls this executable at each completion, with the words of the line, and the names come from the project's files as
//! they are then.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{Arg, Args, Command, CommandFactory as _, FromArgMatches as _, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;

use super::error::CliError;
use super::options::ProjectOptions;
use crate::catalogue::load::Catalogue;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::programs::own_executable;

/// The variable in which the printed script names its shell.
const VARIABLE: &str = "CONFORMANCE_COMPLETE";
/// The name of the command, as it is typed.
const NAME: &str = "conformance";
/// The option that names the folder of which the names are.
const PROJECT: &str = "--project";

/// Options of `completions`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

const AFTER_HELP: &str = "\
In bash `source <(conformance completions bash)` switches it on, and in its start-up file for good; zsh is the same with its name, fish reads \
`conformance completions fish | source`. Print the script anew with each version: it and the command belong together.";

/// Prints the script that switches completion on.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let own = own_executable()?;
    let name = arguments.shell.to_string();
    let mut script = Vec::new();
    for shell in Shells::builtins().iter().filter(|shell| shell.is(&name)) {
        shell.write_registration(VARIABLE, NAME, NAME, own.as_str(), &mut script)?;
    }
    say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(exit_code::PASSED)
}

/// Answers a shell that asks for completions; none where the command is called for something else. Nothing may be written before.
pub(super) fn answer() -> Option<ExitCode> {
    let here = std::env::current_dir().ok();
    let answered = CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .bin(NAME)
        .try_complete(std::env::args_os(), here.as_deref());
    match answered {
        Ok(true) => Some(ExitCode::from(exit_code::PASSED)),
        Ok(false) => None,
        Err(error) => {
            let _ = error.print();
            Some(ExitCode::from(exit_code::USAGE))
        }
    }
}

/// Returns the ids and the names of the project's scenarios.
pub(super) fn scenarios() -> Vec<CompletionCandidate> {
    let scenarios = catalogue().map(|catalogue| catalogue.scenarios);
    let mut candidates = Vec::new();
    for scenario in scenarios.unwrap_or_default() {
        let summary = StyledStr::from(scenario.spec.summary.trim().to_owned());
        for value in [scenario.spec.id.to_string(), scenario.name.to_string()] {
            candidates.push(CompletionCandidate::new(value).help(Some(summary.clone())));
        }
    }
    candidates
}

/// Returns the names of the project's profiles.
pub(super) fn profiles() -> Vec<CompletionCandidate> {
    let profiles = catalogue().map(|catalogue| catalogue.profiles);
    let names = profiles.unwrap_or_default().into_keys();
    names.map(CompletionCandidate::new).collect()
}

/// Reads the project that the line means; none where it cannot be read: the shell shows no message of a completion.
fn catalogue() -> Option<Catalogue> {
    let options = ProjectOptions::augment_args(Command::new(NAME));
    let matches = options.try_get_matches_from(project_words(std::env::args_os()));
    let project = ProjectOptions::from_arg_matches(&matches.ok()?).ok()?;
    Some(project.load().ok()?.1)
}

/// Returns the command with as much of the line as says which project is meant.
fn project_words(line: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words = vec![NAME.into()];
    let mut line = line.skip_while(|word| word != "--").skip(1);
    while let Some(word) = line.next() {
        if word == PROJECT {
            words.extend([Some(word), line.next()].into_iter().flatten());
        } else if word.to_string_lossy().starts_with(&format!("{PROJECT}=")) {
            words.push(word);
        }
    }
    words
}

/// Returns the command of which the values of options are completed by what their names say of them.
fn command() -> Command {
    super::Arguments::command().mut_subcommands(|subcommand| subcommand.mut_args(hinted))
}

fn hinted(argument: Arg) -> Arg {
    let name = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    match name.as_deref() {
        Some("DIR") => argument.value_hint(ValueHint::DirPath),
        Some("PATH" | "PATH|VERSION" | "REPORT") => argument.value_hint(ValueHint::AnyPath),
        Some(_) | None => argument,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["x", "--", "conformance", "run", "A"], &["conformance"])]
    #[case(
        &["x", "--", "conformance", "run", "--project", "p", "A"],
        &["conformance", "--project", "p"]
    )]
    #[case(
        &["x", "--", "conformance", "list", "--project=p", ""],
        &["conformance", "--project=p"]
    )]
    #[case(&["x", "--project", "p", "--", "conformance"], &["conformance"])]
    fn only_what_says_which_project_is_meant_is_taken_of_the_line(
        #[case] line: &[&str],
        #[case] expected: &[&str],
    ) {
        let words = project_words(line.iter().map(OsString::from));
        assert_eq!(words, expected);
    }
}
