//! The command line: one file or folder per subcommand.

use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Effects, Styles};
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench::stack::NULL_AGENT_ARGUMENT;
use crate::report::terminal::remark;
use crate::run::exit_code;
use harness_artifacts::executable::CarriedProgram;
use harness_core::model::diagnostic::Colour;
use harness_environment::local::{pod_init_main, pod_stage_main};

mod bench;
mod bench_compare;
mod bench_ladder;
mod bench_options;
mod bench_setup;
mod clean;
mod cluster_options;
mod compare;
mod completions;
mod doctor;
mod down;
mod drive;
mod error;
mod explain;
mod images;
mod in_pod;
mod interrupts;
mod list;
mod manual;
mod options;
mod replay;
mod report;
mod report_file;
mod report_options;
mod run;
mod run_options;
mod schema;
mod self_test;
mod up;

/// How cargo and its companions colour their help.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Qualifies a WAF agent that runs as a sidecar behind Envoy.
///
/// Deploys Envoy (`ext_authz` and gRPC access log), an application and the agent as one pod, drives attack and benign
/// traffic through it, and judges every request by five witnesses: the client, the proxy, the wire between proxy and
/// agent, the agent's log, the application.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, styles = STYLES, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    /// When to colour the output.
    #[arg(long, global = true, value_enum, default_value_t = ColourChoice::Auto, value_name = "WHEN")]
    color: ColourChoice,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0    every selected scenario passed, or was unsupported for a stated reason
  1    a scenario failed: the system under test is wrong
  2    bad usage, configuration or scenario file
  3    the environment or the harness could not judge
  4    nothing was selected, or nothing of it could be run here
  5    `bench`: a limit of the gate is broken
  6    `bench`: it cannot be told whether a limit is kept (`--inconclusive-exit`)
  70   a bug in the harness
  129  ended by SIGHUP; what it had made is removed
  130  ended by SIGINT, likewise
  143  ended by SIGTERM, likewise
Where several apply, 70 comes before 129 to 143, 3, 1 and 4.";

/// When to colour the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ColourChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and write the reports.
    Run(run::Arguments),
    /// Measure what the agent adds to a request, and whether one agent is slower than another.
    Bench(bench::Arguments),
    /// List scenarios; nothing is started.
    List(list::Arguments),
    /// Say why a scenario exists, what it deploys and what must be seen.
    Explain(explain::Arguments),
    /// Run again what did not pass in an earlier run, with that run's options.
    Replay(replay::Arguments),
    /// Run again what did not pass in the latest run, with that run's options.
    Rerun(replay::RerunArguments),
    /// Work on the reports of earlier runs.
    Report(report::Arguments),
    /// Show that the suite can fail: run wrong agents and wrong deployments, and see each one noticed.
    SelfTest(self_test::Arguments),
    /// Hold the timelines of two runs against each other: a rehearsed kubelet's and a real one's.
    Compare(compare::Arguments),
    /// Say in which environments a run could start here, what is missing, and how to get it.
    Doctor(doctor::Arguments),
    /// Print the JSON Schema of a file format.
    Schema(schema::Arguments),
    /// Make a cluster that is kept between runs, with the images in it.
    Up(up::Arguments),
    /// Remove the clusters that are kept between runs.
    Down(down::Arguments),
    /// Remove what runs that did not end properly have left.
    Clean(clean::Arguments),
    /// Make the container images that a cluster needs, as archives, without a container engine.
    Images(images::Arguments),
    /// Print the script that makes a shell complete commands, options, and names of scenarios and profiles.
    Completions(completions::Arguments),
    /// Print a page for man(1).
    Manual(manual::Arguments),
    /// Send the traffic of a plan; for the harness's own use inside a pod.
    ///
    /// Reads the plan as one JSON line on standard input and writes one JSON line per request.
    Drive,
}

/// Runs the command and returns its exit code.
pub fn main() -> ExitCode {
    let first_argument = std::env::args_os().next().unwrap_or_default();
    match CarriedProgram::of_process(&first_argument) {
        Some(CarriedProgram::AgentStub) => return agent_stub::process::main(),
        Some(CarriedProgram::Helloworld) => return helloworld::main(),
        None => {}
    }
    // The supervisors of a pod are this executable too; they take no options.
    match std::env::args_os()
        .nth(1)
        .as_deref()
        .and_then(|name| name.to_str())
    {
        Some("pod-stage") => return pod_stage_main(),
        Some("pod-init") => return pod_init_main(),
        // In a benchmark's pods, here and in a cluster.
        Some(NULL_AGENT_ARGUMENT) => return null_agent::main(),
        // In a cluster's pods.
        Some("observe") => return in_pod::observe_main(),
        Some("await-answers") => return in_pod::await_answers_main(),
        Some("await-refusal") => return in_pod::await_refusal_main(),
        Some("stand-by") => return in_pod::stand_by_main(),
        Some(_) | None => {}
    }
    if let Some(code) = completions::answer() {
        return code;
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            let code = if error.use_stderr() {
                exit_code::USAGE
            } else {
                exit_code::PASSED
            };
            return ExitCode::from(code);
        }
    };
    let colour = choose_colour(arguments.color);
    start_logging(colour);
    let result = match arguments.command {
        Command::Run(arguments) => run::main(&arguments, colour),
        Command::Bench(arguments) => bench::main(&arguments),
        Command::List(arguments) => list::main(&arguments),
        Command::Explain(arguments) => explain::main(&arguments),
        Command::Replay(arguments) => replay::main(&arguments, colour),
        Command::Rerun(arguments) => replay::rerun(arguments, colour),
        Command::Report(arguments) => report::main(&arguments),
        Command::Compare(arguments) => compare::main(&arguments),
        Command::Doctor(arguments) => doctor::main(&arguments, colour),
        Command::Schema(arguments) => schema::main(&arguments),
        Command::SelfTest(arguments) => self_test::main(&arguments, colour),
        Command::Up(arguments) => up::main(&arguments),
        Command::Down(arguments) => down::main(&arguments),
        Command::Clean(arguments) => clean::main(&arguments),
        Command::Images(arguments) => images::main(&arguments),
        Command::Completions(arguments) => completions::main(&arguments),
        Command::Manual(arguments) => manual::main(&arguments),
        Command::Drive => drive::main(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if !error.is_silent() {
                remark(error.render(colour));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn choose_colour(choice: ColourChoice) -> Colour {
    let stream = anstream::AutoStream::choice(&std::io::stdout());
    let colour = match choice {
        ColourChoice::Never => Colour::Plain,
        ColourChoice::Auto if stream == anstream::ColorChoice::Never => Colour::Plain,
        ColourChoice::Always | ColourChoice::Auto => Colour::Ansi,
    };
    let choice = match colour {
        Colour::Ansi => anstream::ColorChoice::Always,
        Colour::Plain => anstream::ColorChoice::Never,
    };
    choice.write_global();
    colour
}

/// Sends the harness's own log to standard error; `CONFORMANCE_LOG` filters it.
fn start_logging(colour: Colour) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CONFORMANCE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour == Colour::Ansi)
        .with_writer(std::io::stderr)
        .init();
}
