//! The phase of the agent's lifecycle, as its tasks see it.

use tokio::sync::watch;

use crate::agent::AgentError;

/// The phase of the agent's lifecycle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentPhase {
    /// Requests are decided.
    Serving,
    /// No connection is accepted any more; what is under way is finished.
    Draining,
    /// Access-log streams are ended too.
    Closing,
}

/// Works until the agent stops serving; the work is cut off then.
pub(super) async fn until_draining(
    mut phases: watch::Receiver<AgentPhase>,
    work: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    tokio::select! {
        () = work => {}
        _ = phases.wait_for(|phase| *phase != AgentPhase::Serving) => {}
    }
    Ok(())
}
