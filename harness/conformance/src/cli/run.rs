//! `conformance run`: runs scenarios and writes the reports.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8PathBuf;
use clap::Args;
use tokio::sync::watch;

use super::cluster_options::ClusterOptions;
use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::options::{ExecutableOptions, ProjectOptions, SelectionOptions};
use crate::catalogue::scenario::Scenario;
use crate::report::console::{Console, ProgressDisplay};
use crate::report::record::{RunOptionsRecord, ScenarioRecord};
use crate::report::terminal::say;
use crate::report::{files, timings};
use crate::run::runtime::runtime;
use crate::run::setup::{SetupOptions, prepare};
use crate::run::setup_error::SetupError;
use crate::run::{Going, RunObserver, run};
use harness_core::model::corpora::Corpora;
use harness_core::model::diagnostic::Colour;
use harness_core::model::project::Project;
use harness_core::stack::assemble::AgentOverrides;

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

/// What `run` and `replay` share.
#[derive(Args, Clone, Debug)]
pub(super) struct RunOptions {
    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    executables: ExecutableOptions,

    /// Set an environment variable of the agent in every scenario. Not for keys: those are read from
    /// `CONFORMANCE_ACCESSKEYID` and `CONFORMANCE_SECRETACCESSKEY`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    agent_env: Vec<(String, String)>,

    /// Scenarios that run at the same time. Default: three for each core, in a cluster two.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,

    /// Multiply the bound of every wait, for slow machines.
    #[arg(long, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=100))]
    slow_down: Option<u32>,

    /// Say at the end what the scenarios' time was spent on.
    #[arg(long)]
    timings: bool,

    /// The folder that holds the runs' folders. Default: target/conformance in the project.
    #[arg(long, value_name = "DIR")]
    output: Option<Utf8PathBuf>,
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    if name.contains("ACCESSKEY") {
        return Err(
            "keys do not belong on a command line; set CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY"
                .into(),
        );
    }
    Ok((name.into(), value.into()))
}

impl RunOptions {
    /// Returns these options, and those of an earlier run where nothing else is said.
    pub(super) fn or_as_in(&self, earlier: &RunOptionsRecord) -> Self {
        let mut variables: Vec<(String, String)> = earlier.agent_env.clone().into_iter().collect();
        variables.extend(self.agent_env.iter().cloned());
        Self {
            cluster: self.cluster.or_as_in(earlier.place.as_ref()),
            executables: self.executables.or_as_in(earlier),
            agent_env: variables,
            jobs: self.jobs,
            slow_down: self.slow_down.or(Some(earlier.slow_down)),
            timings: self.timings,
            output: self.output.clone(),
        }
    }

    fn setup_options(&self, scenarios: &[Arc<Scenario>]) -> Result<SetupOptions, CliError> {
        Ok(SetupOptions {
            place: self.cluster.place()?,
            checked: scenarios.to_vec(),
            needed: scenarios
                .iter()
                .flat_map(|scenario| scenario.spec.features.iter().copied())
                .collect(),
            envoy: self.executables.envoy.clone(),
            agent_binary: self.executables.agent_binary.clone(),
            app_binary: self.executables.app_binary.clone(),
            overrides: AgentOverrides {
                variables: self.agent_env.iter().cloned().collect(),
            },
            output: self.output.clone(),
            jobs: self.jobs.map(usize::from),
            slow_down: self.slow_down.unwrap_or(1),
            conformance: None,
        })
    }
}

/// Runs the selected scenarios.
pub(super) fn main(arguments: &Arguments, colour: Colour) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.project.load()?;
    let corpora = catalogue.corpora.clone();
    let picked = arguments.selection.pick(catalogue)?;
    run_scenarios(project, corpora, &picked, &arguments.settings, colour)
}

/// Runs scenarios and writes the reports of the run.
pub(super) fn run_scenarios(
    project: Project,
    corpora: Corpora,
    scenarios: &[Arc<Scenario>],
    options: &RunOptions,
    colour: Colour,
) -> Result<u8, CliError> {
    let runtime = runtime().map_err(CliError::Runtime)?;
    let setup_options = options.setup_options(scenarios)?;
    let code = runtime.block_on(async {
        let (interrupt, going) = watch::channel(Going::On);
        tokio::spawn(listen_for_interrupts(interrupt));
        let progress = if std::io::stderr().is_terminal() {
            ProgressDisplay::Bar
        } else {
            ProgressDisplay::Plain
        };
        let console = Arc::new(Console::new(progress, colour));
        let preparing = console.clone();
        let setup = prepare(project, corpora, setup_options, move |what| {
            preparing.preparing(what);
        })
        .await?;
        let setup = Arc::new(setup);
        console.started(scenarios.len(), setup.jobs);
        let observer: Arc<dyn RunObserver> = Arc::new(ConsoleObserver {
            console: console.clone(),
            under_way: Mutex::default(),
        });
        let record = run(&setup, scenarios, &observer, going).await;
        let finished = setup.environment.finish().await;
        let report = files::write(&setup.output, &record)?;
        console.summary(&record, scenarios, &report);
        if options.timings {
            drop(say(timings::render(&record.scenarios, setup.jobs)));
        }
        finished.map_err(SetupError::from)?;
        Ok(record.exit_code)
    });
    // Whatever a scenario left behind in a thread must not hold the command up.
    runtime.shutdown_background();
    code
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
