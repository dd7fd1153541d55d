//! `conformance bench`: measures what the agent costs, and compares two agents.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};
use tokio::sync::watch;

use super::error::CliError;
use super::interrupts::listen_for_interrupts;
use super::options::{ExecutableOptions, ProjectOptions};
use crate::bench::error::BenchError;
use crate::bench::files::{RECORD, write};
use crate::bench::generations::{self, BenchPlan};
use crate::bench::record::BenchRecord;
use crate::bench::request::request;
use crate::bench::stack::{BenchStack, CANDIDATE_IMAGE, NULL_IMAGE, Subject};
use crate::bench::table;
use crate::report::terminal::{remark, say};
use crate::run::programs::{carried, given_executable, own_executable};
use crate::run::runtime::runtime;
use crate::run::setup::{SetupOptions, prepare};
use crate::run::{Going, exit_code};
use harness_artifacts::executable::CarriedProgram;
use harness_core::model::timespan::{ParseTimeSpanError, TimeSpan};
use harness_core::stack::assemble::AgentOverrides;
use harness_traffic::latency::plan::{Arrivals, CONNECTION_LIMIT, RATE_LIMIT};

/// Options of `bench`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// What agent B has of its own: `binary=PATH` or `env.NAME=VALUE`. May be given several times. Without it B is A once more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_property)]
    b: Vec<Property>,

    /// What agent A has of its own: `env.NAME=VALUE`; its executable is that of `--agent-binary`. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_variable_of_a)]
    a: Vec<Property>,

    /// The proxy configuration whose listener is measured.
    #[arg(long, value_name = "NAME", default_value = "fail-closed")]
    envoy_config: String,

    /// How many sets of processes are measured, one after another; from 3 on an interval is worth reading.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(2..=60))]
    generations: u8,

    /// How long each set is measured.
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = parse_time)]
    duration: TimeSpan,

    /// What is sent and not measured at the beginning of each set.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    warm_up: TimeSpan,

    /// Requests per second over all arms, of which there are six.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_LIMIT)))]
    rate: u32,

    /// When requests are due.
    #[arg(long, value_enum, default_value_t = ArrivalChoice::Poisson, value_name = "PROCESS")]
    arrivals: ArrivalChoice,

    /// Connections of each arm.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=i64::from(CONNECTION_LIMIT)))]
    connections: u16,

    /// The size of the request's body in bytes; 0 sends a GET without one.
    #[arg(long, value_name = "BYTES", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=16 * 1024 * 1024))]
    body: u32,

    /// How many further header fields the request has.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=90))]
    headers: u16,

    /// The difference in microseconds that matters: a smaller one is none.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 20.0, value_parser = parse_microseconds)]
    smallest_difference: f64,

    /// What every moment and order is drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// The folder that the run's folder is made in. Default: that of `conformance run`.
    #[arg(long, value_name = "DIR")]
    output: Option<Utf8PathBuf>,

    #[command(flatten)]
    executables: ExecutableOptions,

    #[command(flatten)]
    project: ProjectOptions,
}

const AFTER_HELP: &str = "\
Six arms stand behind one Envoy, each a listener of its own: no filter, the filter disabled, an agent that allows everything \
(the floor), agent A, agent A again in another process, and agent B. Requests go to all of them in turn, in a new order each time, \
when they are due and not when an earlier one is through. Then everything is started anew, as many times as there are generations.

The run's folder gets `bench.json` (its schema: `conformance schema bench`) and `samples.bin`, 24 bytes a request.

Exit codes: 0 measured, 2 bad usage, 3 nothing was measured or nothing follows from it.";

/// Something that an agent has of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Property {
    Binary(Utf8PathBuf),
    Variable(String, String),
}

/// When requests are due.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ArrivalChoice {
    /// At equal distances.
    Constant,
    /// At random ones: what users feel.
    Poisson,
}

fn parse_property(text: &str) -> Result<Property, String> {
    let expected = || format!("`{text}` is neither binary=PATH nor env.NAME=VALUE");
    let (key, value) = text.split_once('=').ok_or_else(expected)?;
    match key.split_once('.') {
        None if key == "binary" && !value.is_empty() => Ok(Property::Binary(value.into())),
        Some(("env", name)) if name.contains("ACCESSKEY") => Err(
            "keys do not belong on a command line; set CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY"
                .into(),
        ),
        Some(("env", name)) if !name.is_empty() => {
            Ok(Property::Variable(name.into(), value.into()))
        }
        Some(_) | None => Err(expected()),
    }
}

fn parse_variable_of_a(text: &str) -> Result<Property, String> {
    match parse_property(text)? {
        Property::Binary(_) => Err("agent A's executable is that of `--agent-binary`".into()),
        variable @ Property::Variable(..) => Ok(variable),
    }
}

fn parse_time(text: &str) -> Result<TimeSpan, String> {
    text.parse()
        .map_err(|error: ParseTimeSpanError| error.to_string())
}

fn parse_microseconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err("write a number above 0".into())
    }
}

/// Measures, writes the record and says what follows.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let mut further_images = BTreeMap::new();
    let own = own_executable()?;
    further_images.insert(
        NULL_IMAGE.to_owned(),
        carried(CarriedProgram::NullAgent, &own)?,
    );
    let a = subject(&arguments.a, &mut further_images)?;
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
        generations: arguments.generations,
        requests_per_second: arguments.rate,
        arrivals: match arguments.arrivals {
            ArrivalChoice::Constant => Arrivals::Constant,
            ArrivalChoice::Poisson => Arrivals::Poisson,
        },
        warm_up: arguments.warm_up,
        duration: arguments.duration,
        connections: arguments.connections,
        seed: arguments.seed,
        request: request(arguments.body, arguments.headers),
    };
    let runtime = runtime().map_err(CliError::Runtime)?;
    let ended = runtime.block_on(measure(arguments, &plan, further_images));
    runtime.shutdown_background();
    ended
}

async fn measure(
    arguments: &Arguments,
    plan: &BenchPlan,
    further_images: BTreeMap<String, Utf8PathBuf>,
) -> Result<u8, CliError> {
    let (project, catalogue) = arguments.project.load()?;
    let options = SetupOptions {
        envoy: arguments.executables.envoy.clone(),
        agent_binary: arguments.executables.agent_binary.clone(),
        app_binary: arguments.executables.app_binary.clone(),
        overrides: AgentOverrides::default(),
        output: arguments.output.clone(),
        further_images,
        ..SetupOptions::default()
    };
    let setup = prepare(project, catalogue.corpora.clone(), options, |what| {
        remark(what);
    })
    .await?;
    let (interrupt, mut going) = watch::channel(Going::On);
    tokio::spawn(listen_for_interrupts(interrupt));
    remark(format_args!(
        "measuring {} sets of processes for {} each: {} s and their starts",
        plan.generations,
        plan.duration,
        plan.length().as_secs()
    ));
    let mut seen = Vec::new();
    let mut ended = Ok(exit_code::PASSED);
    for generation in 1..=plan.generations {
        tokio::select! {
            measured = Box::pin(generations::run(&setup, plan, generation)) => match measured {
                Ok(measured) => {
                    remark(format_args!("{generation} of {}: {} requests", plan.generations, measured.samples.len()));
                    seen.push(measured);
                }
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            },
            _ = going.changed() => {
                if let Going::Interrupted(signal) = *going.borrow() {
                    ended = Ok(signal.exit_code());
                }
                break;
            }
        }
    }
    let finished = setup.environment.finish().await;
    let smallest = arguments.smallest_difference;
    let record = BenchRecord::new(setup.run.as_str(), plan, smallest, &seen);
    let folder = &setup.output.folder;
    write(folder, &record, &seen)?;
    if !seen.is_empty() {
        say(table::render(&record))?;
    }
    say(format_args!("record: {}", folder.join(RECORD)))?;
    let code = ended?;
    finished.map_err(crate::run::setup_error::SetupError::from)?;
    Ok(match code {
        exit_code::PASSED if !record.invalid.is_empty() => exit_code::ERRORED,
        code => code,
    })
}

/// Adds what the other one has of its own.
fn merged(mut subject: Subject, own: Subject) -> Subject {
    subject.variables.extend(own.variables);
    subject.image = own.image.or(subject.image);
    subject
}

fn subject(
    properties: &[Property],
    images: &mut BTreeMap<String, Utf8PathBuf>,
) -> Result<Subject, CliError> {
    let mut subject = Subject::default();
    for property in properties {
        match property {
            Property::Binary(path) => {
                let path = given_executable(path, "--b binary")?;
                images.insert(CANDIDATE_IMAGE.into(), path);
                subject.image = Some(CANDIDATE_IMAGE);
            }
            Property::Variable(name, value) => {
                subject.variables.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(subject)
}
