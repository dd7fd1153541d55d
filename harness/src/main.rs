//! The `conformance` command.

use std::process::ExitCode;

use harness::environment::local;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pod-stage") => local::pod_stage_main(),
        Some("pod-init") => local::pod_init_main(),
        Some(_) | None => ExitCode::from(2),
    }
}
