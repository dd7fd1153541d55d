//! The agent as an executable of its own; `conformance` carries it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent_stub::process::main()
}
