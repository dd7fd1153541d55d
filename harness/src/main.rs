//! The `conformance` command.

use std::process::ExitCode;

use harness::environment::local;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pod-stage") => local::pod_stage_main(),
        Some("pod-init") => local::pod_init_main(),
        // Stands in for the driver: waits for a plan, and has none to carry out.
        Some("drive") => match std::io::copy(&mut std::io::stdin(), &mut std::io::sink()) {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Some(_) | None => ExitCode::from(2),
    }
}
