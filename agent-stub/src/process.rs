//! The agent's process: settings in, signals handled, one line on the standard error when it cannot start.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::agent::RunningAgent;
use crate::instance_metadata;
use crate::settings::{Arguments, MetadataQuestion, ReadArguments, Settings, warnings};

/// Runs the agent as this process, with its arguments and environment, until a signal ends it.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        ReadArguments::Serve(arguments) => arguments,
        ReadArguments::Print(text) => return print(&text),
        ReadArguments::Refuse(line) => return complain(&line, BAD_SETTINGS),
    };
    let secret_key =
        std::env::var_os(SECRET_KEY_VARIABLE).map(|key| key.to_string_lossy().into_owned());
    let settings = match Settings::from_arguments(&arguments, secret_key.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            return complain(
                &format!("cannot use the settings: {}", chain(&error)),
                BAD_SETTINGS,
            );
        }
    };
    drop(secret_key);
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    if settings.fault_hooks.names_ignored_variables() {
        for line in warnings(std::env::vars_os().map(|(name, _)| name)) {
            tracing::warn!("{line}");
        }
    }
    // One thread serves a sidecar's load and keeps its memory small.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start the runtime: {error}"), NO_RESOURCES),
    };
    match runtime.block_on(run(&settings)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let reason = settings.fault_hooks.stated_reason(chain(error.as_ref()));
            complain(&reason, NO_RESOURCES)
        }
    }
}

async fn run(settings: &Settings) -> Result<u8, Box<dyn Error>> {
    // Signals are caught before anything opens: an early TERM must not leave a socket behind.
    let mut terminate = catch(SignalKind::terminate())?;
    let mut interrupt = catch(SignalKind::interrupt())?;
    let mut hang_up = catch(SignalKind::hangup())?;
    tokio::select! {
        () = tokio::time::sleep(settings.timings.start_delay) => {}
        _ = terminate.recv() => return Ok(SUCCESS),
        _ = interrupt.recv() => return Ok(SUCCESS),
    }
    if let Some(question) = &settings.metadata {
        let question = MetadataQuestion {
            patience: settings.fault_hooks.patience(question.patience),
            ..question.clone()
        };
        tokio::select! {
            answer = instance_metadata::ask(&question) => tracing::info!(?answer, "asked the metadata service"),
            _ = terminate.recv() => return Ok(SUCCESS),
            _ = interrupt.recv() => return Ok(SUCCESS),
        }
    }
    let mut agent = RunningAgent::start(settings)?;
    tracing::info!(addresses = ?agent.grpc_addresses(), "serving");
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                if !settings.fault_hooks.heeds_term() {
                    continue;
                }
                tracing::info!("stopping on SIGTERM");
                break;
            }
            _ = interrupt.recv() => {
                tracing::info!("stopping on SIGINT");
                break;
            }
            _ = hang_up.recv() => agent.reload_rules(),
            () = settings.fault_hooks.end_after_start() => {
                return Err("cannot go on without keys".into());
            }
            error = agent.failure() => {
                agent.shut_down().await;
                return Err(error.into());
            }
        }
    }
    agent.shut_down().await;
    Ok(settings.fault_hooks.end().await)
}

fn catch(kind: SignalKind) -> io::Result<Signal> {
    signal(kind)
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(NO_RESOURCES),
    }
}

fn complain(line: &str, code: u8) -> ExitCode {
    // Nowhere is left to report that the standard error is closed; the exit code still speaks.
    let _written = writeln!(io::stderr(), "agent-stub: {}", line.replace('\n', " "));
    ExitCode::from(code)
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

const SECRET_KEY_VARIABLE: &str = "SIGSCI_SECRETACCESSKEY";
const SUCCESS: u8 = 0;
const NO_RESOURCES: u8 = 1;
const BAD_SETTINGS: u8 = 2;
