//! `conformance list`: the scenarios by name; nothing is started.

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::options::{ProjectOptions, SelectionOptions};
use crate::report::terminal::say;
use crate::run::exit_code;

/// Options of `list`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: SelectionOptions,

    #[command(flatten)]
    project: ProjectOptions,

    /// Print JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print a Markdown table, as docs/scenarios.md has it.
    #[arg(long)]
    markdown: bool,
}

/// How the table of all scenarios begins.
const MARKDOWN_HEAD: &str = "\
# Scenarios

Made by `conformance list --markdown`; a test compares it with the files. `conformance explain ID` says why a scenario exists.

| id | scenario | procedure | what holds |
| --- | --- | --- | --- |";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ListLine<'a> {
    name: &'a str,
    id: &'a str,
    procedure: &'a str,
    level: String,
    features: Vec<&'static str>,
    summary: &'a str,
    file: &'a str,
}

/// Lists the scenarios.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let (_, catalogue) = arguments.project.load()?;
    let picked = arguments.selection.pick(catalogue)?;
    let lines: Vec<ListLine<'_>> = picked
        .iter()
        .map(|scenario| ListLine {
            name: scenario.name.as_str(),
            id: &scenario.spec.id,
            procedure: scenario.procedure.name,
            level: scenario.spec.level.to_string(),
            features: scenario
                .spec
                .features
                .iter()
                .map(|feature| feature.as_str())
                .collect(),
            summary: scenario.spec.summary.trim(),
            file: scenario.file.as_str(),
        })
        .collect();
    if arguments.json {
        let text = serde_json::to_string_pretty(&lines).unwrap_or_default();
        say(text)?;
        return Ok(exit_code::PASSED);
    }
    if arguments.markdown {
        say(MARKDOWN_HEAD)?;
        for line in &lines {
            say(format_args!(
                "| {} | [{}](../{}) | {} | {} |",
                line.id,
                line.name,
                line.file,
                line.procedure,
                line.summary.replace('|', "\\|")
            ))?;
        }
        return Ok(exit_code::PASSED);
    }
    let width = lines
        .iter()
        .map(|line| line.name.len())
        .max()
        .unwrap_or_default();
    for line in &lines {
        say(format_args!(
            "{:<12} {:<width$}  {}",
            line.id, line.name, line.summary
        ))?;
    }
    Ok(exit_code::PASSED)
}
