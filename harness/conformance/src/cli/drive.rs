//! `conformance drive`: the traffic driver, as a pod runs it.

use super::error::CliError;
use crate::run::exit_code;
use harness_core::model::causes::chain;
use harness_traffic::driver::drive;

/// Carries the plan on standard input out.
pub(super) fn main() -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?;
    let result = runtime.block_on(drive(tokio::io::stdin(), tokio::io::stdout()));
    // Standard input is read in a thread that cannot be interrupted.
    runtime.shutdown_background();
    match result {
        Ok(()) => Ok(exit_code::PASSED),
        Err(error) => Err(CliError::Drive(chain(&error).join(": "))),
    }
}
