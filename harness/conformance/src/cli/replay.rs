//! `conformance replay` and `conformance rerun`: run again what did not pass in an earlier run, with that run's options.

use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::error::CliError;
use super::options::ProjectOptions;
use super::report_file::read_report;
use super::run::run_scenarios;
use super::run_options::RunOptions;
use crate::catalogue::scenario::Scenario;
use crate::report::retention::LATEST;
use crate::report::terminal::{remark, say};
use crate::run::exit_code;
use crate::run::selection::NothingSelected;
use crate::run::setup::Exclusions;
use harness_core::model::diagnostic::Colour;
use harness_core::model::finding::ScenarioResult;
use harness_core::model::finding_kind::FindingKind;

/// Options of `replay`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The `report.json` of the earlier run.
    #[arg(value_name = "REPORT")]
    report: Utf8PathBuf,

    /// Only these scenarios, by their whole names. Default: all that failed or errored.
    #[arg(value_name = "SCENARIO", conflicts_with = "finding")]
    names: Vec<String>,

    #[command(flatten)]
    which: FindingOptions,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    settings: RunOptions,
}

/// Which of the scenarios that did not pass are meant.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which scenarios")]
struct FindingOptions {
    /// Only those that have a finding of this kind, as the summary names it. May be given several times: one of them is enough.
    #[arg(long, value_name = "KIND", value_parser = finding_parser(), hide_possible_values = true)]
    finding: Vec<FindingKind>,
}

fn finding_parser() -> impl TypedValueParser<Value = FindingKind> {
    let names = FindingKind::ALL.iter().map(|kind| kind.as_str());
    PossibleValuesParser::new(names).map(|name| {
        let mut kinds = FindingKind::ALL.iter();
        let kind = kinds.find(|kind| kind.as_str() == name);
        *kind.expect("the parser takes the names of kinds alone")
    })
}

impl FindingOptions {
    fn match_result(&self, result: &ScenarioResult) -> bool {
        match result {
            ScenarioResult::Failed(findings) => {
                let mut findings = findings.iter();
                self.finding.is_empty()
                    || findings.any(|finding| self.finding.contains(&finding.kind))
            }
            ScenarioResult::Errored(_) => self.finding.is_empty(),
            ScenarioResult::Passed
            | ScenarioResult::Unsupported { .. }
            | ScenarioResult::Excluded { .. } => false,
        }
    }
}

/// Options of `rerun`.
#[derive(Args, Debug)]
pub(super) struct RerunArguments {
    #[command(flatten)]
    which: FindingOptions,

    #[command(flatten)]
    project: ProjectOptions,

    #[command(flatten)]
    settings: RunOptions,
}

/// Runs what did not pass in the latest run again.
pub(super) fn rerun(arguments: RerunArguments, colour: Colour) -> Result<u8, CliError> {
    let runs = match arguments.settings.output_folder() {
        Some(folder) => folder.clone(),
        None => arguments.project.project()?.runs,
    };
    let replay = Arguments {
        report: runs.join(LATEST).join("report.json"),
        names: Vec::new(),
        which: arguments.which,
        project: arguments.project,
        settings: arguments.settings,
    };
    main(&replay, colour)
}

/// Runs scenarios of an earlier run again.
pub(super) fn main(arguments: &Arguments, colour: Colour) -> Result<u8, CliError> {
    let record = read_report(&arguments.report)?;
    let wanted: Vec<String> = if arguments.names.is_empty() {
        record
            .scenarios
            .iter()
            .filter(|scenario| arguments.which.match_result(&scenario.result))
            .map(|scenario| scenario.name.to_string())
            .collect()
    } else {
        arguments.names.clone()
    };
    if wanted.is_empty() {
        // Standard output may be for events alone.
        let _reports = arguments.settings.reports.open()?;
        let kinds: Vec<&str> = arguments
            .which
            .finding
            .iter()
            .map(|kind| kind.as_str())
            .collect();
        if kinds.is_empty() {
            say(format_args!(
                "everything in {} passed; there is nothing to replay",
                arguments.report
            ))?;
        } else {
            say(format_args!(
                "nothing in {} has a finding of this kind: {}; there is nothing to replay",
                arguments.report,
                kinds.join(", ")
            ))?;
        }
        return Ok(exit_code::PASSED);
    }
    let (project, catalogue) = arguments.project.or_as_in(&record.options).load()?;
    let picked = exactly(&wanted, catalogue.scenarios)?;
    for scenario in &picked {
        let earlier = record
            .scenarios
            .iter()
            .find(|earlier| earlier.name == scenario.name);
        if earlier.is_some_and(|earlier| earlier.sha256 != scenario.sha256) {
            remark(format_args!(
                "note: {} has changed since the earlier run",
                scenario.name
            ));
        }
    }
    run_scenarios(
        &project,
        &catalogue.corpora,
        &picked,
        Exclusions::new(),
        &arguments.settings.or_as_in(&record.options),
        colour,
    )
}

/// Picks scenarios by their whole names.
fn exactly(
    wanted: &[String],
    scenarios: Vec<Scenario>,
) -> Result<Vec<Arc<Scenario>>, NothingSelected> {
    let (known, other): (Vec<Scenario>, Vec<Scenario>) = scenarios
        .into_iter()
        .partition(|scenario| wanted.iter().any(|name| name == scenario.name.as_str()));
    match wanted.iter().find(|name| {
        !known
            .iter()
            .any(|scenario| scenario.name.as_str() == **name)
    }) {
        Some(missing) => Err(NothingSelected::no_match(missing, &other)),
        None => Ok(known.into_iter().map(Arc::new).collect()),
    }
}
