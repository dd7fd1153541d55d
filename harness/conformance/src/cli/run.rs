//! `conformance run`: runs scenarios and writes the reports.

use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;
use clap::Args;
use tokio::sync::watch;

use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::options::{ProjectOptions, SelectionOptions};
use super::run_options::RunOptions;
use crate::catalogue::scenario::Scenario;
use crate::report::console::Console;
use crate::report::record::{RunRecord, ScenarioRecord};
use crate::report::retention::{self, link_latest};
use crate::report::terminal::{remark, say};
use crate::report::{files, rounds, timings};
use crate::run::runtime::runtime;
use crate::run::setup::{Exclusions, SetupOptions, prepare};
use crate::run::setup_error::SetupError;
use crate::run::{Going, RunObserver, exit_code, run};
use harness_core::model::corpora::Corpora;
use harness_core::model::diagnostic::Colour;
use harness_core::model::identity::RunId;
use harness_core::model::project::Project;

/// Options of `run`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: SelectionOptions,

    #[command(flatten)]
    pub(super) project: ProjectOptions,

    #[command(flatten)]
    pub(super) settings: RunOptions,
}

/// Runs the selected scenarios.
pub(super) fn main(arguments: &Arguments, colour: Colour) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.project.load()?;
    let corpora = catalogue.corpora.clone();
    let configuration = arguments.project.configuration()?;
    let (settings, exclusions) = match configuration {
        Some(configuration) => (
            arguments.settings.or_as_configured(&configuration.content),
            configuration.exclusions(&catalogue.scenarios)?,
        ),
        None => (arguments.settings.clone(), Exclusions::new()),
    };
    let picked = arguments.selection.pick(catalogue)?;
    run_scenarios(&project, &corpora, &picked, exclusions, &settings, colour)
}

/// Runs scenarios, as many times as was asked for, and writes the reports of each run. Returns the exit code of the worst one.
pub(super) fn run_scenarios(
    project: &Project,
    corpora: &Corpora,
    scenarios: &[Arc<Scenario>],
    exclusions: Exclusions,
    options: &RunOptions,
    colour: Colour,
) -> Result<u8, CliError> {
    let rounds = options.rounds()?;
    let mut setup_options = options.setup_options(scenarios)?;
    // What is left out deploys nothing.
    setup_options
        .checked
        .retain(|scenario| !exclusions.contains_key(&scenario.name));
    setup_options.exclusions = exclusions;
    let runtime = runtime().map_err(CliError::Runtime)?;
    let code = runtime.block_on(async {
        let (interrupt, going) = watch::channel(Going::On);
        tokio::spawn(listen_for_interrupts(interrupt));
        let mut records = Vec::new();
        for round in 1..=rounds {
            if rounds > 1 {
                say(format_args!("\nround {round} of {rounds}"))?;
            }
            let console = Arc::new(options.console(colour));
            let round = Round {
                project,
                corpora,
                scenarios,
                options,
                console,
                going: going.clone(),
            };
            records.push(Box::pin(round.run(setup_options.clone())).await?);
            if let Going::Interrupted(_) = *going.borrow() {
                break;
            }
        }
        if rounds > 1 {
            say(format_args!("\n{}", rounds::render(&records)))?;
        }
        Ok(exit_code::worst(
            records.iter().map(|record| record.exit_code),
        ))
    });
    // Whatever a scenario left behind in a thread must not hold the command up.
    runtime.shutdown_background();
    code
}

/// One run of the scenarios.
struct Round<'a> {
    project: &'a Project,
    corpora: &'a Corpora,
    scenarios: &'a [Arc<Scenario>],
    options: &'a RunOptions,
    console: Arc<Console>,
    going: watch::Receiver<Going>,
}

impl Round<'_> {
    async fn run(self, setup_options: SetupOptions) -> Result<RunRecord, CliError> {
        let Self {
            project,
            corpora,
            scenarios,
            options,
            console,
            going,
        } = self;
        let reports = options.reports.open()?;
        let preparing = console.clone();
        let setup = prepare(
            project.clone(),
            corpora.clone(),
            setup_options,
            move |what| {
                preparing.preparing(what);
            },
        )
        .await?;
        let setup = Arc::new(setup);
        console.started(scenarios.len(), setup.jobs);
        let observer: Arc<dyn RunObserver> = Arc::new(ConsoleObserver {
            console: console.clone(),
            under_way: Mutex::default(),
        });
        let observer = reports.observe(&setup, scenarios.len(), observer);
        let record = run(&setup, scenarios, &observer, options.bounds(), going).await;
        let finished = setup.environment.finish().await;
        let report = files::write(&setup.output, &record)?;
        tidy(&setup.output.folder, &record.run, options.kept_runs());
        console.summary(&record, scenarios, &report);
        if options.shows_timings() {
            drop(say(timings::render(&record.scenarios, setup.jobs)));
        }
        let code = finished
            .as_ref()
            .map_or(exit_code::ERRORED, |()| record.exit_code);
        reports.finish(&setup, &record, &report, code)?;
        finished.map_err(SetupError::from)?;
        Ok(record)
    }
}

/// Links the latest run and removes old ones. That neither can be done is worth a word, and no verdict depends on it.
fn tidy(folder: &Utf8Path, run: &RunId, kept: usize) {
    let Some(runs) = folder.parent() else {
        return;
    };
    if let Err(error) = link_latest(runs, run) {
        remark(format_args!("cannot link the latest run: {error}"));
    }
    retention::tidy(runs, kept);
}

struct ConsoleObserver {
    console: Arc<Console>,
    under_way: Mutex<Vec<String>>,
}

impl ConsoleObserver {
    fn change(&self, change: impl FnOnce(&mut Vec<String>)) {
        let mut names = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut names);
        self.console.under_way(&names);
    }
}

impl RunObserver for ConsoleObserver {
    fn scenario_started(&self, scenario: &Scenario) {
        self.change(|names| names.push(scenario.name.to_string()));
    }

    fn scenario_finished(&self, record: &ScenarioRecord) {
        self.change(|names| names.retain(|name| name != record.name.as_str()));
        self.console.finished(record);
    }
}
