//! What the kubelet's rules need from whatever runs the containers.

use std::time::Duration;

use super::rules::Dial;
use harness_core::model::timeline::ExitStatus;

/// Runs containers. The real one works with processes; the unit tests' one with a script.
pub(in crate::local) trait ContainerRuntime: 'static {
    /// A container that was started.
    type StartedContainer: Clone + 'static;

    /// Starts the container with a fresh root.
    async fn start(&self, container: usize) -> Result<Self::StartedContainer, StartFault>;

    /// Waits until the container has ended with everything that ran in it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it only observes.
    async fn wait(&self, process: &Self::StartedContainer) -> ExitStatus;

    /// Signals the container's first process. Does nothing when it has ended.
    fn signal(&self, process: &Self::StartedContainer, signal: StopSignal);

    /// Runs a command in the container until it ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the command.
    async fn exec(
        &self,
        process: &Self::StartedContainer,
        command: &[String],
    ) -> Result<ExecOutcome, String>;

    /// Asks a port of the pod. `within` is a hint to the other side; the caller bounds the wait.
    async fn dial(&self, dial: &Dial, within: Duration) -> Result<DialAnswer, String>;
}

/// The two signals that end a container.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::local) enum StopSignal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
}

/// Why a container did not start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::local) enum StartFault {
    /// Its configuration names something that does not exist. Trying again does not help.
    Configuration {
        /// What is missing.
        reason: String,
    },
    /// Its process could not be made.
    Process {
        /// The step that failed.
        reason: String,
    },
}

/// How a command in a container ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::local) struct ExecOutcome {
    /// Its exit status.
    pub status: ExitStatus,
    /// The beginning of what it wrote.
    pub output: String,
}

/// What a port of the pod answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::local) enum DialAnswer {
    /// The connection stands.
    Connected,
    /// A health status by the numbers of `grpc.health.v1`; 1 is `SERVING`.
    Health(i32),
    /// An HTTP status.
    Status(u16),
}
