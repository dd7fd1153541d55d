//! `conformance list`: the scenarios by name; nothing is started.

use clap::Args;
use serde::Serialize;
use terminal_size::{Width, terminal_size};

use super::error::CliError;
use super::options::{ProjectOptions, SelectionOptions};
use crate::report::terminal::say;
use crate::run::environments::features_of_local_with_the_stub;
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
    let terminal_columns = terminal_size().map(|(Width(columns), _)| usize::from(columns));
    for row in table(&lines, terminal_columns) {
        say(row)?;
    }
    Ok(exit_code::PASSED)
}

/// Draws a row for each scenario, cut to the width of the terminal where there is one. What `local` does not support is marked, since that is where
/// `run` runs unless it is told otherwise.
fn table(lines: &[ListLine<'_>], columns: Option<usize>) -> Vec<String> {
    let longest = |text: fn(&ListLine<'_>) -> usize| lines.iter().map(text).max().unwrap_or(0);
    let ids = longest(|line| line.id.len());
    let names = longest(|line| line.name.len());
    let here = features_of_local_with_the_stub();
    let row = |line: &ListLine<'_>| {
        let missing: Vec<&str> = line
            .features
            .iter()
            .filter(|feature| !here.iter().any(|there| there.as_str() == **feature))
            .copied()
            .collect();
        let note = if missing.is_empty() {
            String::new()
        } else {
            format!("(not in local: {}) ", missing.join(", "))
        };
        let row = format!(
            "{:<ids$}  {:<names$}  {note}{}",
            line.id, line.name, line.summary
        );
        cut(&row, columns)
    };
    lines.iter().map(row).collect()
}

fn cut(row: &str, columns: Option<usize>) -> String {
    match columns {
        Some(columns) if row.chars().count() > columns => {
            let kept: String = row.chars().take(columns.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end())
        }
        Some(_) | None => row.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &'static str, features: Vec<&'static str>) -> ListLine<'static> {
        ListLine {
            name: "group::name",
            id,
            procedure: "exchange",
            level: "core".into(),
            features,
            summary: "Something holds that takes some words to say.",
            file: "scenarios/group/name.yaml",
        }
    }

    #[test]
    fn rows_stand_in_columns_and_fit_the_terminal() {
        let lines = [line("A01", Vec::new()), line("A02-long", vec!["rollout"])];
        assert_eq!(
            table(&lines, Some(50)),
            [
                "A01       group::name  Something holds that takes…",
                "A02-long  group::name  (not in local: rollout) So…",
            ]
        );
        assert!(table(&lines, None)[1].ends_with("words to say."));
    }
}
