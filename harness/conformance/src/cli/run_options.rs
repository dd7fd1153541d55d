//! Options of a run that `run` and `replay` share.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;

use camino::Utf8PathBuf;
use clap::Args;

use super::cluster_options::{ClusterOptions, refuse_a_cluster_for_each_run};
use super::error::CliError;
use super::options::ExecutableOptions;
use super::report_options::ReportOptions;
use crate::catalogue::configuration::ConfigurationFile;
use crate::catalogue::scenario::Scenario;
use crate::report::console::{Console, ProgressDisplay, Verbosity};
use crate::report::evidence_ledger::DEFAULT_LIMIT_MEBIBYTES;
use crate::report::record::RunOptionsRecord;
use crate::report::retention::DEFAULT_KEPT_RUNS;
use crate::run::setup::{Exclusions, SetupOptions};
use crate::run::{AfterFailure, RunBounds};
use harness_core::model::agent_egress::{AgentEgress, InvalidEgress};
use harness_core::model::diagnostic::Colour;
use harness_core::model::environment_kind::EnvironmentKind;
use harness_core::model::timespan::TimeSpan;
use harness_core::stack::assemble::AgentOverrides;

/// The section of help about the course of a run.
const HOW_IT_RUNS: &str = "How it runs";

/// What `run` and `replay` share.
#[derive(Args, Clone, Debug)]
pub(super) struct RunOptions {
    #[command(flatten)]
    cluster: ClusterOptions,

    #[command(flatten)]
    executables: ExecutableOptions,

    #[command(flatten)]
    pub(super) reports: ReportOptions,

    /// Set an environment variable of the agent in every scenario. Not for keys: those are read from
    /// `CONFORMANCE_ACCESSKEYID` and `CONFORMANCE_SECRETACCESSKEY`.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable, help_heading = "What is judged")]
    agent_env: Vec<(String, String)>,

    /// What the agent's container reaches outside of its pod, which has no network: `none`, `host` (what this machine reaches), or a proxy of
    /// yours, as `http://proxy.example.com:3128`. The agent finds it by `HTTPS_PROXY`; the other containers reach nothing. With `local` alone.
    /// Default: none.
    #[arg(long, value_name = "none|host|PROXY", value_parser = parse_egress, help_heading = "What is judged")]
    agent_egress: Option<EgressOption>,

    /// Scenarios that run at the same time. Default: three for each core, in a cluster two.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = HOW_IT_RUNS)]
    jobs: Option<u16>,

    /// Multiply the bound of every wait, for slow machines.
    #[arg(long, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=100), help_heading = HOW_IT_RUNS)]
    slow_down: Option<u32>,

    /// How long an agent may take, once its pod is ready, until it is seen to deny the plainest of attacks; `--slow-down` does not change it.
    /// Default: 60s, in a cluster more.
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = HOW_IT_RUNS)]
    enforcing_within: Option<TimeSpan>,

    /// The longest time of one scenario, as `90s`; `--slow-down` does not change it. Default: 2m and twice the time until it enforces, in a
    /// cluster more.
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = HOW_IT_RUNS)]
    scenario_timeout: Option<TimeSpan>,

    /// The longest time of the run, as `30m`: what has not been judged by then is an error.
    #[arg(long, value_name = "TIME", value_parser = parse_time, help_heading = HOW_IT_RUNS)]
    run_timeout: Option<TimeSpan>,

    /// Begin no further scenario once one has not passed.
    #[arg(long, help_heading = HOW_IT_RUNS)]
    fail_fast: bool,

    /// Run everything so many times and count; each round is a run with a report of its own, and one that does not pass fails the whole.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with_all = ["summary", "events"], value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = HOW_IT_RUNS)]
    repeat: u32,

    #[command(flatten)]
    output: OutputOptions,
}

/// What is said, and what is written where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
struct OutputOptions {
    /// Say only what did not pass, and the totals.
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,

    /// Say what each scenario's time was spent on and what happened to its pods, and every finding in full.
    #[arg(long, short)]
    verbose: bool,

    /// Say at the end what the scenarios' time was spent on.
    #[arg(long)]
    timings: bool,

    /// The folder that holds the runs' folders. Default: target/conformance in a project's folder, else conformance-results here.
    #[arg(long = "output", value_name = "DIR")]
    folder: Option<Utf8PathBuf>,

    /// The most evidence of a run, in MiB; beyond it, and from the fourth scenario with the same finding on, evidence is brief.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_LIMIT_MEBIBYTES, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    evidence_limit: u64,

    /// Keep the folders of so many runs; those of older ones are removed after the run.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_KEPT_RUNS)]
    keep_runs: usize,
}

/// What was given as a way out. What the parser of options refuses it repeats, a password as well.
#[derive(Clone, Debug)]
enum EgressOption {
    Of(AgentEgress),
    WithCredentials,
}

fn parse_egress(text: &str) -> Result<EgressOption, InvalidEgress> {
    match text.parse() {
        Ok(egress) => Ok(EgressOption::Of(egress)),
        Err(InvalidEgress::Credentials) => Ok(EgressOption::WithCredentials),
        Err(error @ InvalidEgress::Form(_)) => Err(error),
    }
}

fn parse_time(text: &str) -> Result<TimeSpan, String> {
    let time: TimeSpan = text
        .parse()
        .map_err(|error: harness_core::model::timespan::ParseTimeSpanError| error.to_string())?;
    if time.as_duration().is_zero() {
        return Err("a time has to be longer than nothing".into());
    }
    Ok(time)
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
        let cluster = self.cluster.or_as_in(earlier.place.as_ref());
        Self {
            agent_egress: self.egress_or(&cluster, Some(&earlier.agent_egress)),
            cluster,
            executables: self.executables.or_as_in(earlier),
            agent_env: variables,
            slow_down: self.slow_down.or(Some(earlier.slow_down)),
            enforcing_within: self.enforcing_within.or(earlier.enforcing_within),
            ..self.clone()
        }
    }

    /// Returns these options, and those of the configuration where nothing else is said.
    pub(super) fn or_as_configured(&self, configured: &ConfigurationFile) -> Self {
        let env = &configured.agent.env;
        let mut variables: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect();
        variables.extend(self.agent_env.iter().cloned());
        let cluster = self.cluster.or_as_configured(configured);
        Self {
            agent_egress: self.egress_or(&cluster, configured.agent_egress().as_ref()),
            cluster,
            executables: self.executables.or_as_configured(configured),
            agent_env: variables,
            jobs: self.jobs.or(configured.jobs.map(|jobs| jobs.value)),
            slow_down: self
                .slow_down
                .or(configured.slow_down.map(|factor| factor.value)),
            ..self.clone()
        }
    }

    /// Returns the way out that is asked for here, else the other one where the pods are such as have one.
    fn egress_or(
        &self,
        cluster: &ClusterOptions,
        other: Option<&AgentEgress>,
    ) -> Option<EgressOption> {
        let other = other.filter(|_| cluster.environment() == EnvironmentKind::Local);
        let own = self.agent_egress.clone();
        own.or_else(|| other.cloned().map(EgressOption::Of))
    }

    /// Returns how many times the scenarios are run.
    ///
    /// # Errors
    ///
    /// When each of several rounds would make a cluster of its own.
    pub(super) fn rounds(&self) -> Result<u32, CliError> {
        if self.repeat > 1 {
            refuse_a_cluster_for_each_run(&self.cluster.place()?)?;
        }
        Ok(self.repeat)
    }

    /// Returns what ends a run early.
    pub(super) const fn bounds(&self) -> RunBounds {
        RunBounds {
            after_failure: if self.fail_fast {
                AfterFailure::Stop
            } else {
                AfterFailure::GoOn
            },
            time: self.run_timeout,
        }
    }

    /// Makes what draws a run.
    pub(super) fn console(&self, colour: Colour) -> Console {
        let verbosity = match (self.output.quiet, self.output.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, false) => Verbosity::Usual,
            (false, true) => Verbosity::Verbose,
        };
        let progress = if std::io::stderr().is_terminal() {
            ProgressDisplay::Bar
        } else {
            ProgressDisplay::Plain
        };
        Console::new(progress, verbosity, colour)
    }

    /// Returns the folder of the runs' folders that was named.
    pub(super) const fn output_folder(&self) -> Option<&Utf8PathBuf> {
        self.output.folder.as_ref()
    }

    /// Returns how many runs keep their folders.
    pub(super) const fn kept_runs(&self) -> usize {
        self.output.keep_runs
    }

    /// Returns whether the time of the scenarios is broken down at the end.
    pub(super) const fn shows_timings(&self) -> bool {
        self.output.timings
    }

    /// Returns what the set-up of a run needs to know.
    ///
    /// # Errors
    ///
    /// When an option does nothing beside the others.
    pub(super) fn setup_options(
        &self,
        scenarios: &[Arc<Scenario>],
    ) -> Result<SetupOptions, CliError> {
        self.cluster
            .refuse_executables_beside_images(&self.executables)?;
        let environment = self.cluster.environment();
        if self.agent_egress.is_some() && environment != EnvironmentKind::Local {
            return Err(CliError::UnfitOption {
                option: "--agent-egress",
                environment,
                fit: &[EnvironmentKind::Local],
            });
        }
        let agent_egress = match &self.agent_egress {
            Some(EgressOption::Of(egress)) => egress.clone(),
            Some(EgressOption::WithCredentials) => return Err(CliError::EgressCredentials),
            None => AgentEgress::None,
        };
        Ok(SetupOptions {
            place: self.cluster.place()?,
            agent_egress,
            checked: scenarios.to_vec(),
            needed: scenarios
                .iter()
                .flat_map(|scenario| scenario.spec.features.iter().copied())
                .collect(),
            envoy: self.executables.envoy.clone(),
            agent_binary: self.executables.agent_binary.clone(),
            further_images: BTreeMap::new(),
            app_binary: self.executables.app_binary.clone(),
            overrides: AgentOverrides {
                variables: self.agent_env.iter().cloned().collect(),
            },
            output: self.output.folder.clone(),
            evidence_limit_mebibytes: Some(self.output.evidence_limit),
            exclusions: Exclusions::new(),
            enforcing_within: self.enforcing_within,
            scenario_timeout: self.scenario_timeout,
            jobs: self.jobs.map(usize::from),
            slow_down: self.slow_down.unwrap_or(1),
            conformance: None,
        })
    }
}
