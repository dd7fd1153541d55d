//! `conformance bench`: measures what the agent costs, and compares two agents.

use jiff::Timestamp;
use tokio::sync::watch;

pub(super) use super::bench_options::Arguments;
use super::bench_options::BenchCommand;
use super::bench_setup::{baseline, candidate, require_faults, setup_options, subjects_that_run};
use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::{bench_compare, bench_ladder};
use crate::bench::arm::Arm;
use crate::bench::error::BenchError;
use crate::bench::files::write;
use crate::bench::gate::{GateFile, LimitResult, load_gate};
use crate::bench::generations::BenchPlan;
use crate::bench::history;
use crate::bench::proxies::CANDIDATE_PROXY_IMAGE;
use crate::bench::record::{BenchRecord, Deployed};
use crate::bench::request::request;
use crate::bench::stack::{BenchStack, CANDIDATE_IMAGE, Program, Subject};
use crate::bench::waits::Undecided;
use crate::bench::{table, whole};
use crate::report::retention::{self, BENCHMARK, DEFAULT_KEPT_RUNS};
use crate::report::terminal::{remark, say};
use crate::run::runtime::runtime;
use crate::run::setup::{SetupOptions, prepare};
use crate::run::setup_error::SetupError;
use crate::run::subjects::{AGENT, ENVOY};
use crate::run::{Going, exit_code};
use harness_artifacts::executable::Identity;
use harness_core::model::causes::chain;

/// The configuration that is measured where none is named.
const USUAL_CONFIG: &str = "fail-closed";

/// Measures, or does what a subcommand says.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    match &arguments.command {
        Some(BenchCommand::Ladder(arguments)) => bench_ladder::main(arguments),
        Some(BenchCommand::Compare(arguments)) => bench_compare::main(arguments),
        None => run(arguments),
    }
}

/// Measures, writes the record and says what follows.
fn run(arguments: &Arguments) -> Result<u8, CliError> {
    let gate = arguments.gate.as_deref().map(load_gate).transpose()?;
    if let Some(path) = &arguments.history {
        history::check(path).map_err(BenchError::from)?;
    }
    let mut options = setup_options(&arguments.common)?;
    let a = baseline(
        &arguments.common,
        arguments.envoy_config.as_deref(),
        USUAL_CONFIG,
    )?;
    let b = candidate(&a, &arguments.b, &mut options)?;
    if !arguments.b.is_empty() && a == b {
        return Err(BenchError::SameArms.into());
    }
    if a.proxy != b.proxy {
        if let Some(limit) = gate.as_ref().and_then(GateFile::of_hop) {
            return Err(BenchError::LimitAcrossProxies { limit }.into());
        }
        if arguments.history.is_some() {
            return Err(CliError::IdleOption {
                option: "--history",
                because: "A and B differ in their proxy, so that what A adds is not measured",
            });
        }
    }
    let plan = BenchPlan {
        stack: BenchStack { a, b },
        arms: Arm::ALL.into(),
        undecided: Undecided::Refused,
        generations: arguments.generations,
        requests_per_second: arguments.rate,
        arrivals: arguments.common.arrivals.into(),
        warm_up: arguments.common.warm_up,
        duration: arguments.duration,
        connections: arguments.connections,
        drivers: arguments.common.drivers,
        seed: arguments.common.seed,
        request: request(&arguments.common.path, arguments.body, arguments.headers),
        target: arguments.common.path.clone(),
    };
    plan.check()?;
    let runtime = runtime().map_err(CliError::Runtime)?;
    let ended = runtime.block_on(measure(arguments, &plan, gate.as_ref(), options));
    runtime.shutdown_background();
    ended
}

async fn measure(
    arguments: &Arguments,
    plan: &BenchPlan,
    gate: Option<&GateFile>,
    options: SetupOptions,
) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.common.project.load()?;
    let configurations = plan.stack.configurations(&project)?;
    let mut candidates = Vec::new();
    for (role, of_a, image) in [
        ("agent-b", AGENT, CANDIDATE_IMAGE),
        ("envoy-b", ENVOY, CANDIDATE_PROXY_IMAGE),
    ] {
        if let Some(path) = options.further_images.get(image) {
            let identity = Identity::of(path).map_err(SetupError::Executable)?;
            candidates.push((role, of_a, identity));
        }
    }
    let setup = prepare(project, catalogue.corpora.clone(), options, |what| {
        remark(what);
    })
    .await?;
    require_faults(&setup).await?;
    let mut subjects = subjects_that_run(&setup);
    let is_as_in_a = |(_, of_a, b): &(&str, &str, Identity)| {
        { subjects.get(*of_a) }.is_some_and(|a| a.sha256 == b.sha256)
    };
    let Subject {
        variables,
        program,
        proxy,
    } = &plan.stack.b;
    let is_same_but_for_programs = *variables == plan.stack.a.variables
        && proxy.config == plan.stack.a.proxy.config
        && !matches!(program, Program::Image(image) if image != CANDIDATE_IMAGE);
    if !arguments.b.is_empty() && is_same_but_for_programs && candidates.iter().all(is_as_in_a) {
        // Nothing may be left, and the error that came first is the one to report.
        let _ = setup.environment.finish().await;
        return Err(BenchError::SameArms.into());
    }
    subjects.extend({ candidates.into_iter() }.map(|(role, _, identity)| (role.into(), identity)));
    let deployed = Deployed {
        variables: setup.overrides.variables.clone(),
        subjects,
        configurations,
        environment: setup.environment.clone(),
    };
    let (interrupt, mut going) = watch::channel(Going::On);
    tokio::spawn(listen_for_interrupts(interrupt));
    let measured = whole::measure(&setup, plan, &mut going).await;
    let finished = setup.environment.finish().await;
    let smallest = arguments.smallest_difference;
    let mut record = BenchRecord::new(setup.run.as_str(), plan, deployed, smallest, &measured);
    record.gate = gate.map(|gate| gate.judge(&record)).unwrap_or_default();
    let folder = &setup.output.folder;
    write(&setup.output, &record, &measured.parts)?;
    if let Some(runs) = folder.parent() {
        retention::tidy(runs, DEFAULT_KEPT_RUNS);
    }
    // A reader that has seen enough, as `head`, changes nothing about the verdict.
    if !measured.parts.is_empty() {
        drop(say(table::render(&record)));
    }
    drop(say(format_args!("record: {}", folder.join(BENCHMARK))));
    let code = measured.ended?;
    finished.map_err(SetupError::from)?;
    let code = match code {
        exit_code::PASSED => exit_code_of(&record, arguments.inconclusive_exit),
        code => code,
    };
    let continued = continue_history(arguments, &record);
    match (continued, code) {
        (Err(error), exit_code::PASSED) => Err(error.into()),
        // The verdict comes before what its record could not be added to.
        (Err(error), code) => {
            remark(chain(&error).join(": "));
            Ok(code)
        }
        (Ok(()), code) => Ok(code),
    }
}

fn continue_history(arguments: &Arguments, record: &BenchRecord) -> Result<(), BenchError> {
    let Some(path) = &arguments.history else {
        return Ok(());
    };
    if record.complete && record.invalid.is_empty() {
        history::append(path, record, Timestamp::now())?;
    } else {
        remark(format_args!(
            "{path}: nothing is added, since nothing follows from this run"
        ));
    }
    Ok(())
}

fn exit_code_of(record: &BenchRecord, inconclusive: u8) -> u8 {
    let has = |result| record.gate.iter().any(|judged| judged.result == result);
    if !record.invalid.is_empty() {
        exit_code::ERRORED
    } else if has(LimitResult::Broken) {
        exit_code::GATE_BROKEN
    } else if has(LimitResult::Inconclusive) {
        inconclusive
    } else {
        exit_code::PASSED
    }
}
