//! The options of `conformance bench`.

use std::time::Duration;

use camino::Utf8PathBuf;
use clap::{Args, Subcommand, ValueEnum};

use super::cluster_options::ClusterOptions;
use super::options::{ExecutableOptions, ProjectOptions};
use super::{bench_compare, bench_ladder};
use crate::bench::ladder::BODY_LIMIT;
use crate::run::exit_code;
use harness_core::model::timespan::{ParseTimeSpanError, TimeSpan};
use harness_traffic::latency::plan::{CONNECTION_LIMIT, RATE_LIMIT};

/// Options of `bench`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Option<BenchCommand>,

    /// What B has of its own: `binary=PATH` (in a cluster `image=IMAGE`), `env.NAME=VALUE`, `envoy=PATH|VERSION` or `envoy-config=NAME`. May be given several
    /// times. Without it B is A once more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_property)]
    pub(super) b: Vec<Property>,

    /// The proxy configuration whose listener is measured. Default: `fail-closed`.
    #[arg(long, value_name = "NAME")]
    pub(super) envoy_config: Option<String>,

    /// How many sets of processes are measured, one after another; from 3 on an interval is worth reading.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(2..=60))]
    pub(super) generations: u8,

    /// How long each set is measured.
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = parse_time)]
    pub(super) duration: TimeSpan,

    /// Requests per second over all arms, of which there are six.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_LIMIT)))]
    pub(super) rate: u32,

    /// Connections of each arm.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=i64::from(CONNECTION_LIMIT)))]
    pub(super) connections: u16,

    /// The size of the request's body in bytes; 0 sends a GET without one.
    #[arg(long, value_name = "BYTES", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(BODY_LIMIT)))]
    pub(super) body: u32,

    /// How many further header fields the request has.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=90))]
    pub(super) headers: u16,

    /// The difference in microseconds that matters: a smaller one is none.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 20.0, value_parser = parse_microseconds)]
    pub(super) smallest_difference: f64,

    /// A file of limits on what may be added (its schema: `conformance schema gate`). Exit code 5 says that one is broken.
    #[arg(long, value_name = "FILE")]
    pub(super) gate: Option<Utf8PathBuf>,

    /// The exit code where no limit is broken and one cannot be judged.
    #[arg(long, value_name = "CODE", default_value_t = exit_code::GATE_INCONCLUSIVE, value_parser = clap::value_parser!(u8).range(0..=127), requires = "gate")]
    pub(super) inconclusive_exit: u8,

    /// A CSV file that this run is added to as a line, where something follows from its figures; it is made where it is not there.
    #[arg(long, value_name = "FILE")]
    pub(super) history: Option<Utf8PathBuf>,

    #[command(flatten)]
    pub(super) common: CommonOptions,
}

/// What a benchmark and a ladder are both told.
#[derive(Args, Debug)]
pub(super) struct CommonOptions {
    /// What A is, by the same keys: `binary=` is `--agent-binary`, `image=` is `--agent-image`, `envoy=` is `--envoy`, `envoy-config=` is `--envoy-config`. May
    /// be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_property)]
    pub(super) a: Vec<Property>,

    /// When requests are due.
    #[arg(long, value_enum, default_value_t = ArrivalChoice::Poisson, value_name = "PROCESS")]
    pub(super) arrivals: ArrivalChoice,

    /// What is sent and not measured at the beginning of each set.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    pub(super) warm_up: TimeSpan,

    /// How many generators send at the same time, each an equal share of the rate and of the connections: where one thread is late.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) drivers: u8,

    /// The path and query that are asked for: the configuration has to pass them on to the application, by way of the agent.
    #[arg(long, value_name = "PATH", default_value = "/products?page=2", value_parser = parse_path)]
    pub(super) path: String,

    /// What every moment and order is drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,

    /// The folder that the run's folder is made in. Default: that of `conformance run`.
    #[arg(long, value_name = "DIR")]
    pub(super) output: Option<Utf8PathBuf>,

    #[command(flatten)]
    pub(super) cluster: ClusterOptions,

    #[command(flatten)]
    pub(super) executables: ExecutableOptions,

    #[command(flatten)]
    pub(super) project: ProjectOptions,
}

const AFTER_HELP: &str = "\
Six arms stand behind one Envoy, each a listener of its own: no filter, the filter disabled, an agent that allows everything \
(the floor), agent A, agent A again in another process, and agent B. Requests go to all of them in turn, in a new order each time, \
when they are due and not when an earlier one is through. Then everything is started anew, as many times as there are generations.

Where A and B differ in their Envoy or its configuration, A, A again and B have an Envoy each, and the first three arms one of A's kind:

  conformance bench --a envoy=1.36.4 --b envoy=1.40.0           another Envoy
  conformance bench --b envoy-config=unix-socket                another way to the agent; also `tls`
  conformance bench --b envoy-config=no-access-log-service      without response data

The run's folder gets `bench.json` (its schema: `conformance schema bench`), `samples.bin`, 24 bytes a request, `latency.hlog`, and pictures.

Exit codes: 0 measured, 2 bad usage, 3 nothing was measured or nothing follows from it, 5 a limit of the gate is broken, 6 one could not be judged.";

/// What is done with benchmarks besides.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Raise one thing from step to step: the rate, connections, the body, the kind of request, or a setting of the agent.
    Ladder(Box<bench_ladder::Arguments>),
    /// Hold two stored benchmarks against each other.
    Compare(bench_compare::Arguments),
}

/// The shortest and the longest time of a part of a generation.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_hours(1);

/// The most characters of a path.
const LONGEST_PATH: usize = 4096;

/// Something that A or B has of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Property {
    /// The agent's executable.
    Binary(Utf8PathBuf),
    /// The agent's image.
    Image(String),
    /// The Envoy: a path or a version.
    Envoy(String),
    /// The proxy configuration.
    Configuration(String),
    /// An environment variable of the agent, and its value.
    Variable(String, String),
}

/// When requests are due.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum ArrivalChoice {
    /// At equal distances.
    Constant,
    /// At random ones: what users feel.
    Poisson,
}

fn parse_property(text: &str) -> Result<Property, String> {
    let expected = || {
        format!(
            "`{text}` is none of binary=PATH, image=IMAGE, env.NAME=VALUE, envoy=PATH|VERSION and envoy-config=NAME"
        )
    };
    let (key, value) = text.split_once('=').ok_or_else(expected)?;
    match key.split_once('.') {
        None if value.is_empty() => Err(expected()),
        None if key == "binary" => Ok(Property::Binary(value.into())),
        None if key == "image" => Ok(Property::Image(value.into())),
        None if key == "envoy" => Ok(Property::Envoy(value.into())),
        None if key == "envoy-config" => Ok(Property::Configuration(value.into())),
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

pub(super) fn parse_time(text: &str) -> Result<TimeSpan, String> {
    let span: TimeSpan = text
        .parse()
        .map_err(|error: ParseTimeSpanError| error.to_string())?;
    if (SHORTEST..=LONGEST).contains(&span.as_duration()) {
        Ok(span)
    } else {
        Err("write a time from 10ms to 1h".into())
    }
}

fn parse_path(text: &str) -> Result<String, String> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if text.starts_with('/') && is_plain && text.len() <= LONGEST_PATH {
        Ok(text.into())
    } else {
        Err(format!(
            "write a path of up to {LONGEST_PATH} characters from `/` on, without spaces and fragments"
        ))
    }
}

pub(super) fn parse_microseconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err("write a number above 0".into())
    }
}
