//! `conformance bench`: measures what the agent costs, and compares two agents.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use tokio::sync::watch;

pub(super) use super::bench_options::Arguments;
use super::bench_options::BenchCommand;
use super::bench_setup::{null_image, setup_options, subject};
use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::{bench_compare, bench_ladder};
use crate::bench::arm::Arm;
use crate::bench::error::BenchError;
use crate::bench::files::write;
use crate::bench::gate::{GateFile, LimitResult, load_gate};
use crate::bench::generations::BenchPlan;
use crate::bench::history;
use crate::bench::record::BenchRecord;
use crate::bench::request::request;
use crate::bench::stack::{BenchStack, CANDIDATE_IMAGE, Subject};
use crate::bench::waits::Undecided;
use crate::bench::{table, whole};
use crate::report::retention::{self, BENCHMARK, DEFAULT_KEPT_RUNS};
use crate::report::terminal::{remark, say};
use crate::run::runtime::runtime;
use crate::run::setup::prepare;
use crate::run::setup_error::SetupError;
use crate::run::subjects::AGENT;
use crate::run::{Going, exit_code};
use harness_artifacts::executable::Identity;
use harness_core::model::causes::chain;

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
    let mut further_images = null_image()?;
    let a = subject(&arguments.common.a, &mut further_images)?;
    let b = Subject {
        variables: a.variables.clone(),
        image: None,
    };
    let b = merged(b, subject(&arguments.b, &mut further_images)?);
    if !arguments.b.is_empty() && a == b {
        return Err(BenchError::SameArms.into());
    }
    let plan = BenchPlan {
        stack: BenchStack {
            config: arguments.envoy_config.clone(),
            a,
            b,
        },
        arms: Arm::ALL.into(),
        undecided: Undecided::Refused,
        generations: arguments.generations,
        requests_per_second: arguments.rate,
        arrivals: arguments.common.arrivals.into(),
        warm_up: arguments.common.warm_up,
        duration: arguments.duration,
        connections: arguments.connections,
        seed: arguments.common.seed,
        request: request(&arguments.common.path, arguments.body, arguments.headers),
        target: arguments.common.path.clone(),
    };
    plan.check()?;
    let runtime = runtime().map_err(CliError::Runtime)?;
    let ended = runtime.block_on(measure(arguments, &plan, gate.as_ref(), further_images));
    runtime.shutdown_background();
    ended
}

async fn measure(
    arguments: &Arguments,
    plan: &BenchPlan,
    gate: Option<&GateFile>,
    further_images: BTreeMap<String, Utf8PathBuf>,
) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.common.project.load()?;
    let options = setup_options(&arguments.common, further_images)?;
    let candidate = options.further_images.get(CANDIDATE_IMAGE);
    let candidate = candidate.map(|path| Identity::of(path)).transpose();
    let candidate = candidate.map_err(SetupError::Executable)?;
    let setup = prepare(project, catalogue.corpora.clone(), options, |what| {
        remark(what);
    })
    .await?;
    let mut subjects = setup.subjects.clone();
    let same_program = candidate.as_ref().zip(subjects.get(AGENT));
    if same_program.is_some_and(|(b, a)| a.sha256 == b.sha256)
        && plan.stack.a.variables == plan.stack.b.variables
    {
        return Err(BenchError::SameArms.into());
    }
    subjects.extend(candidate.map(|identity| ("agent-b".to_owned(), identity)));
    let (interrupt, mut going) = watch::channel(Going::On);
    tokio::spawn(listen_for_interrupts(interrupt));
    let measured = whole::measure(&setup, plan, &mut going).await;
    let finished = setup.environment.finish().await;
    let smallest = arguments.smallest_difference;
    let mut record = BenchRecord::new(
        setup.run.as_str(),
        plan,
        &setup.overrides,
        subjects,
        smallest,
        &measured,
    );
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

/// Adds what the other one has of its own.
fn merged(mut subject: Subject, own: Subject) -> Subject {
    subject.variables.extend(own.variables);
    subject.image = own.image.or(subject.image);
    subject
}
