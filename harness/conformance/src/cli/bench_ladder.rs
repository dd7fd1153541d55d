//! `conformance bench ladder`: raises one thing from step to step and shows what it costs.

use clap::Args;
use tokio::sync::watch;

use super::bench_options::{CommonOptions, Property, parse_time};
use super::bench_setup::{baseline, require_faults, setup_options, subjects_that_run};
use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use crate::bench::error::BenchError;
use crate::bench::files::{LADDER_PICTURE, write_ladder};
use crate::bench::generations::BenchPlan;
use crate::bench::ladder::{Raised, Step};
use crate::bench::ladder_record::{LadderRecord, Limit, SCHEMA_VERSION, StepRecord, render};
use crate::bench::record::{Deployed, Method};
use crate::bench::request::request;
use crate::bench::self_check::SelfCheck;
use crate::bench::stack::BenchStack;
use crate::bench::waits::Undecided;
use crate::bench::whole;
use crate::report::retention::{self, DEFAULT_KEPT_RUNS};
use crate::report::terminal::{remark, say};
use crate::run::runtime::runtime;
use crate::run::setup::prepare;
use crate::run::setup_error::SetupError;
use crate::run::{Going, exit_code};
use harness_core::model::timespan::TimeSpan;
use harness_traffic::latency::plan::{CONNECTION_LIMIT, RATE_LIMIT};

/// Options of `bench ladder`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// What is raised: `rate`, `connections`, `body`, `input`, or `env.NAME` for a variable of the agent.
    #[arg(value_name = "WHAT")]
    raised: Raised,

    /// The steps, from the lowest to the highest; each kind but `env.NAME` has its usual ones.
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    steps: Vec<String>,

    /// The longest that an answer may take: exit code 5 says that one took longer, or that a request was not answered by a decision.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    slowest: Option<TimeSpan>,

    /// The proxy configuration whose listener is measured. `rate` and `env.NAME` look for the first request that goes on without a decision. Default:
    /// `fail-open`.
    #[arg(long, value_name = "NAME")]
    envoy_config: Option<String>,

    /// How many sets of processes are measured at each step.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=60))]
    generations: u8,

    /// How long each set is measured.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    duration: TimeSpan,

    /// Requests per second over all arms, of which there are three. Default: 600.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_LIMIT)))]
    rate: Option<u32>,

    /// Connections of each arm: 255 for `rate` and `env.NAME`, else 32.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(CONNECTION_LIMIT)))]
    connections: Option<u16>,

    #[command(flatten)]
    common: CommonOptions,
}

const AFTER_HELP: &str = "\
Each step is a pod of its own. Requests go to the filter disabled, to the null agent and to agent A; where the rate is raised, \
to the two agents, so many to each: where the null agent fails too, it is the proxy or the machine that bears no more. \
A latency is shown only where every request of the arm was answered with 200 to 299 by a decision: `rate` and `env.NAME` end at the first step where that is not so.

  conformance bench ladder rate                               how much one agent bears until the first bypass
  conformance bench ladder connections                        what concurrency costs
  conformance bench ladder body --steps 0,1024,65536          what a body costs
  conformance bench ladder input --slowest 500ms              requests that are dear to inspect
  conformance bench ladder env.STUB_DECISION_DELAY --steps 0ms,100ms,500ms,1s,2s   a slow agent, up to the proxy's time-out

The run's folder gets `ladder.json` (its schema: `conformance schema ladder`) and `ladder.svg`.

Exit codes: 0 measured, 2 bad usage, 3 nothing was measured or nothing follows from it, 5 an answer took longer than `--slowest`, or was none.";

/// The configuration that is measured where none is named.
const USUAL_CONFIG: &str = "fail-open";
/// Requests per second over all arms where no number is given.
const USUAL_RATE: u32 = 600;

/// Measures and says what was seen.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    refuse_idle_options(arguments)?;
    let steps = steps(&arguments.raised, &arguments.steps)?;
    let options = setup_options(&arguments.common)?;
    let a = baseline(
        &arguments.common,
        arguments.envoy_config.as_deref(),
        USUAL_CONFIG,
    )?;
    let plan = BenchPlan {
        stack: BenchStack { b: a.clone(), a },
        arms: arguments.raised.arms(),
        undecided: Undecided::Measured,
        generations: arguments.generations,
        requests_per_second: arguments.rate.unwrap_or(USUAL_RATE),
        arrivals: arguments.common.arrivals.into(),
        warm_up: arguments.common.warm_up,
        duration: arguments.duration,
        connections: { arguments.connections }
            .unwrap_or_else(|| arguments.raised.usual_connections()),
        drivers: arguments.common.drivers,
        seed: arguments.common.seed,
        request: request(&arguments.common.path, 0, 0),
        target: arguments.common.path.clone(),
    };
    for step in &steps {
        step.plan(&plan).check()?;
    }
    let runtime = runtime().map_err(CliError::Runtime)?;
    let ended = runtime.block_on(async {
        let (project, catalogue) = arguments.common.project.load()?;
        let configurations = plan.stack.configurations(&project)?;
        let setup = prepare(project, catalogue.corpora.clone(), options, |what| {
            remark(what);
        })
        .await?;
        require_faults(&setup).await?;
        let (interrupt, mut going) = watch::channel(Going::On);
        tokio::spawn(listen_for_interrupts(interrupt));
        let deployed = Deployed {
            variables: setup.overrides.variables.clone(),
            subjects: subjects_that_run(&setup),
            configurations,
            environment: setup.environment.clone(),
        };
        let climbed = whole::climb(&setup, &plan, &arguments.raised, &steps, &mut going).await;
        let finished = setup.environment.finish().await;
        let record = LadderRecord {
            schema_version: SCHEMA_VERSION,
            run: setup.run.to_string(),
            complete: matches!(climbed.ended, Ok(exit_code::PASSED)),
            raised: arguments.raised.to_string(),
            method: Method::new(
                &steps[0].plan(&plan),
                deployed,
                0.0,
                arguments.generations.into(),
            ),
            invalid: reasons_against(climbed.self_check.as_ref(), &climbed.parts),
            self_check: climbed.self_check,
            steps: climbed.parts,
        };
        write_ladder(&setup.output, &record, &arguments.raised.title())?;
        let folder = &setup.output.folder;
        if let Some(runs) = folder.parent() {
            retention::tidy(runs, DEFAULT_KEPT_RUNS);
        }
        // A reader that has seen enough, as `head`, changes nothing about the verdict.
        if !record.steps.is_empty() {
            drop(say(render(&record, &arguments.raised.title())));
            drop(say(format_args!(
                "picture: {}",
                folder.join(LADDER_PICTURE)
            )));
        }
        let code = climbed.ended?;
        finished.map_err(SetupError::from)?;
        Ok(match code {
            exit_code::PASSED => exit_code_of(&record, arguments.slowest),
            code => code,
        })
    });
    runtime.shutdown_background();
    ended
}

fn steps(raised: &Raised, given: &[String]) -> Result<Vec<Step>, BenchError> {
    if given.is_empty() {
        return raised.usual_steps().ok_or_else(|| BenchError::NoSteps {
            raised: raised.clone(),
        });
    }
    let steps = given.iter().map(|text| raised.step(text));
    let steps: Vec<Step> =
        { steps.collect::<Result<_, _>>() }.map_err(|reason| BenchError::Step { reason })?;
    match raised.unordered(&steps) {
        Some(step) => Err(BenchError::Step {
            reason: format!("{step} is not above the step before it"),
        }),
        None => Ok(steps),
    }
}

fn refuse_idle_options(arguments: &Arguments) -> Result<(), CliError> {
    let is_set = |variable: &str| {
        let mut own = arguments.common.a.iter();
        own.any(|property| matches!(property, Property::Variable(name, _) if name == variable))
    };
    let option = match &arguments.raised {
        Raised::Rate if arguments.rate.is_some() => "--rate",
        Raised::Connections if arguments.connections.is_some() => "--connections",
        Raised::Variable(name) if is_set(name) => "--a",
        Raised::Rate | Raised::Connections | Raised::Body | Raised::Input | Raised::Variable(_) => {
            return Ok(());
        }
    };
    let because = "it is what is raised, by `--steps`";
    Err(CliError::IdleOption { option, because })
}

/// Says why nothing follows from a ladder; nothing where something does.
fn reasons_against(self_check: Option<&SelfCheck>, steps: &[StepRecord]) -> Vec<String> {
    let of_check = self_check.into_iter().flat_map(SelfCheck::reasons_against);
    let of_steps = steps.iter().flat_map(|step| {
        let named = |reason| format!("at {}: {reason}", step.step);
        step.invalid.iter().map(named)
    });
    of_check.chain(of_steps).collect()
}

fn exit_code_of(record: &LadderRecord, slowest: Option<TimeSpan>) -> u8 {
    if !record.invalid.is_empty() {
        return exit_code::ERRORED;
    }
    let Some(slowest) = slowest else {
        return exit_code::PASSED;
    };
    let limits = record
        .steps
        .iter()
        .map(|step| step.limit(slowest.as_duration()));
    let limits: Vec<Limit> = limits.collect();
    if limits.contains(&Limit::Broken) {
        exit_code::GATE_BROKEN
    } else if limits.contains(&Limit::Unknown) {
        exit_code::ERRORED
    } else {
        exit_code::PASSED
    }
}
