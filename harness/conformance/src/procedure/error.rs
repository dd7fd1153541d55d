//! Why a procedure could not judge.

use std::time::Duration;

use super::stall::ProxyStalled;
use harness_core::model::request::RequestSpecError;
use harness_core::model::timeouts::TimedOut;
use harness_environment::EnvironmentFault;
use harness_verdict::judge::enforcement::Canaries;

/// Why a procedure could not judge. Never a judgement of the agent's decisions.
#[derive(Debug, thiserror::Error)]
pub enum ProcedureError {
    /// The environment could not do what it was asked.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// A wait ended without its condition.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A container ended that had to run.
    #[error(
        "container `{container}` does not run: it ended with {exit}; its last lines:\n{last_lines}"
    )]
    WillNotStart {
        /// The container.
        container: String,
        /// How it ended.
        exit: String,
        /// The end of its log.
        last_lines: String,
    },
    /// The agent was not seen to enforce when it had to, so that its decisions say nothing.
    #[error("the agent was not seen to enforce: {0}")]
    NotEnforcing(Canaries),
    /// The driver refused its plan.
    #[error("the traffic driver refused its plan: {reason}")]
    DriverRefused {
        /// Why.
        reason: String,
    },
    /// The driver ended without its summary.
    #[error("the traffic driver ended without its summary after {records} records: {detail}")]
    DriverLost {
        /// How many records had come.
        records: usize,
        /// What was seen last.
        detail: String,
    },
    /// The proxy was not run for a while.
    #[error(transparent)]
    ProxyStalled(#[from] ProxyStalled),
    /// What had to be under way at the pod's deletion was over before it was asked for.
    #[error(
        "{over} of {sent} slow requests were answered before the pod's deletion was asked for, so nothing was under way that it could cut"
    )]
    NothingUnderWay {
        /// How many had been answered, as they had to be.
        over: usize,
        /// How many there were.
        sent: usize,
    },
    /// A pod was ready before the first attack on it was sent.
    #[error(
        "the first attack on `{pod}` was sent {} ms after it was ready, so that it is not known whether it enforced first",
        .late_by.as_millis()
    )]
    MetTooLate {
        /// The pod.
        pod: String,
        /// How long after.
        late_by: Duration,
    },
    /// A request of a scenario file cannot be built.
    #[error("a request cannot be built")]
    Request(#[from] RequestSpecError),
    /// The proxy's admin endpoint gave an unexpected answer.
    #[error("the proxy's admin endpoint answered {status} to {question}")]
    Admin {
        /// What was asked.
        question: String,
        /// The status.
        status: u16,
    },
}

impl From<Canaries> for ProcedureError {
    fn from(canaries: Canaries) -> Self {
        Self::NotEnforcing(canaries)
    }
}

/// What helps where the machine let nothing run in time.
const TOO_MUCH_TO_DO: &str =
    "the machine has too much to do: run fewer scenarios at a time with `--jobs`";

impl ProcedureError {
    /// Returns what the user can do, where something is known.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::WillNotStart { container, .. } => vec![format!(
                "the whole log of `{container}` and the rendered configuration lie in the evidence folder"
            )],
            Self::TimedOut(timed_out) => vec![format!(
                "a slow machine may need more than {}: `--slow-down 3` triples every bound",
                timed_out.budget
            )],
            Self::Environment(fault) => fault_hints(fault),
            Self::NotEnforcing(_) => vec![
                "an agent that loads its rules later may be given more time: `--enforcing-within 2m`".into(),
            ],
            Self::ProxyStalled(_) | Self::MetTooLate { .. } => vec![TOO_MUCH_TO_DO.into()],
            Self::NothingUnderWay { .. } => vec![
                TOO_MUCH_TO_DO.into(),
                "an application of your own has to take the time that the request asks of it"
                    .into(),
            ],
            Self::DriverRefused { .. }
            | Self::DriverLost { .. }
            | Self::Request(_)
            | Self::Admin { .. } => Vec::new(),
        }
    }
}

/// Returns what the user can do about a fault of the environment.
pub fn fault_hints(fault: &EnvironmentFault) -> Vec<String> {
    match fault {
        EnvironmentFault::Unsuitable { hint, .. } => vec![hint.clone()],
        EnvironmentFault::ImageMissing { .. } => {
            vec!["`conformance doctor` shows which executables are found".into()]
        }
        EnvironmentFault::Cluster { hint, .. } | EnvironmentFault::NotAdmitted { hint, .. } => {
            hint.clone().into_iter().collect()
        }
        EnvironmentFault::NotCarriedOut { .. }
        | EnvironmentFault::TimedOut(_)
        | EnvironmentFault::ContainerState { .. }
        | EnvironmentFault::PodLost { .. }
        | EnvironmentFault::Io { .. } => Vec::new(),
    }
}
