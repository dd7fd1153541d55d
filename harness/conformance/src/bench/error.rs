//! Why nothing could be measured.

use super::gate::Quantity;
use super::history::HistoryError;
use super::ladder::Raised;
use crate::procedure::error::fault_hints;
use crate::report::evidence::WriteError;
use harness_core::model::timeouts::TimedOut;
use harness_core::stack::file_error::StackFileError;
use harness_environment::EnvironmentFault;
use harness_traffic::latency::plan::LatencyPlanError;
use harness_traffic::latency::sample::SampleError;

/// Why a benchmark ended without figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A and B are the same.
    #[error("A and B differ in nothing")]
    SameArms,
    /// A ladder has no usual steps, and none are given.
    #[error("the steps of {raised} have to be named")]
    NoSteps {
        /// What is raised.
        raised: Raised,
    },
    /// A step is none of its ladder.
    #[error("`--steps`: {reason}")]
    Step {
        /// What is wrong with it.
        reason: String,
    },
    /// The plan is wrong.
    #[error("nothing can be measured so")]
    Plan(#[from] LatencyPlanError),
    /// A generation would have more requests than its logs can hold.
    #[error("a generation would have {requests} requests, and the most are {most}")]
    TooManyRequests {
        /// How many there would be, those of the warm-up included.
        requests: u64,
        /// How many there may be.
        most: u64,
    },
    /// A property of an agent has no effect.
    #[error(
        "`{variable}` cannot be chosen: where an agent of a benchmark listens, and with which certificate, follows from its proxy's configuration, and it has no data log"
    )]
    FixedVariable {
        /// The variable.
        variable: String,
    },
    /// The configuration file gives the agent a way out of its pod.
    #[error(
        "agents have no way out of their pod in a benchmark in `local`, and `conformance.yaml` asks for one (`agent.egress`)"
    )]
    NoEgress,
    /// The deployment cannot be put together.
    #[error(transparent)]
    Stack(#[from] StackFileError),
    /// The configuration has no listener of the kind that can be measured.
    #[error("the proxy configuration `{config}` cannot be measured: {reason}")]
    Proxy {
        /// Its name.
        config: String,
        /// Why.
        reason: &'static str,
    },
    /// Proxies of one pod look for certificates in different folders.
    #[error(
        "the configurations of A and B look for certificates in different folders: {} and {}", folders[0], folders[1]
    )]
    CertificateFolders {
        /// The folders.
        folders: [String; 2],
    },
    /// A container runs another image than the one that is known to be right.
    #[error("container `{container}` runs {found}, and {} is right", expected.join(" or "))]
    AnotherImage {
        /// The container.
        container: String,
        /// The digests that are right.
        expected: Vec<String>,
        /// The digest of what runs.
        found: String,
    },
    /// A limit cannot be judged, however long is measured.
    #[error(
        "`{limit}` cannot be judged: A and B differ in their proxy, and A stands behind one of its own"
    )]
    LimitAcrossProxies {
        /// What is limited.
        limit: Quantity,
    },
    /// The environment cannot stop a container, which the self-check needs.
    #[error("nothing can be measured here: containers cannot be paused{}", why.as_ref().map_or(String::new(), |why| format!(" ({why})")))]
    NoFaults {
        /// Why.
        why: Option<String>,
    },
    /// Envoy does not accept the configuration.
    #[error(transparent)]
    InvalidProxy(#[from] crate::run::proxy_validation::InvalidProxyConfig),
    /// The environment failed.
    #[error("generation {generation} of the processes cannot be run")]
    Environment {
        /// Which one, from 1.
        generation: u8,
        /// Why.
        #[source]
        source: EnvironmentFault,
    },
    /// The pod has no address that a generator can be given.
    #[error("the pod's address is none: {address:?}")]
    Address {
        /// What it says.
        address: String,
    },
    /// The proxy asks no agent about the request.
    #[error("the proxy passes {target} on without asking the agent")]
    Unasked {
        /// The path and query.
        target: String,
    },
    /// Something did not come in time.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The driver did not carry the plan out.
    #[error("the driver did not measure: {reason}")]
    Driver {
        /// What it said.
        reason: String,
    },
    /// The driver's samples cannot be used.
    #[error("the driver's samples cannot be used")]
    Samples(#[from] SampleError),
    /// A picture cannot be drawn.
    #[error("a picture of the measurement cannot be drawn: {reason}")]
    Picture {
        /// Why.
        reason: String,
    },
    /// A history cannot be continued.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl BenchError {
    /// Returns what to do about it, where that is known.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::SameArms => vec![
                "name what B has of its own: `--b binary=PATH` (in a cluster `image=IMAGE`), `--b envoy=VERSION`, `--b envoy-config=NAME` or `--b env.NAME=VALUE`; without `--b`, A is measured against itself".into(),
            ],
            Self::NoSteps { raised } => vec![format!("name them, as `ladder {raised} --steps 1,2,5`")],
            Self::Proxy { .. } => vec![
                "name a configuration with one plain listener by `--envoy-config`; `fail-closed` is one".into(),
            ],
            Self::TooManyRequests { .. } => vec![
                "shorten `--duration` or lower `--rate`, and measure more `--generations`".into(),
            ],
            Self::History(HistoryError::OtherColumns { .. }) => {
                vec!["name a file that is not there yet".into()]
            }
            Self::LimitAcrossProxies { .. } => {
                vec!["limit `b-above-a` alone, or measure without another proxy for B".into()]
            }
            Self::AnotherImage { .. } => vec!["a tag may have been moved: name the image by its digest".into()],
            Self::CertificateFolders { .. } => vec!["let both name the same folder".into()],
            Self::FixedVariable { .. } => vec!["leave it out".into()],
            Self::Unasked { .. } => vec!["name a path that the configuration has inspected by `--path`".into()],
            Self::NoEgress => vec![
                "an agent that fetches its rules from elsewhere is measured in a cluster (`--environment kind --agent-image IMAGE`)".into(),
            ],
            Self::Environment { source, .. } => fault_hints(source),
            Self::Stack(error) => error.hints(),
            Self::TimedOut(_) => vec![
                "`--path` names what the configuration passes on to the application; `conformance run` with the same agent shows why it does not answer".into(),
            ],
            Self::Plan(LatencyPlanError::Connections { .. } | LatencyPlanError::Rate { .. }) => vec![
                "each of the `--drivers` needs a connection of each arm, and a part of the rate".into(),
            ],
            Self::Plan(_)
            | Self::Step { .. }
            | Self::InvalidProxy(_)
            | Self::NoFaults { .. }
            | Self::Address { .. }
            | Self::Driver { .. }
            | Self::Samples(_)
            | Self::Picture { .. }
            | Self::History(HistoryError::File { .. })
            | Self::Write(_) => Vec::new(),
        }
    }

    /// Returns whether what the user asked for is at fault.
    pub const fn is_of_usage(&self) -> bool {
        match self {
            Self::SameArms
            | Self::Plan(_)
            | Self::NoSteps { .. }
            | Self::Step { .. }
            | Self::TooManyRequests { .. }
            | Self::FixedVariable { .. }
            | Self::NoEgress
            | Self::Unasked { .. }
            | Self::Stack(_)
            | Self::History(_)
            | Self::CertificateFolders { .. }
            | Self::LimitAcrossProxies { .. }
            | Self::Proxy { .. } => true,
            Self::InvalidProxy(_)
            | Self::Address { .. }
            | Self::Environment { .. }
            | Self::AnotherImage { .. }
            | Self::NoFaults { .. }
            | Self::TimedOut(_)
            | Self::Driver { .. }
            | Self::Samples(_)
            | Self::Picture { .. }
            | Self::Write(_) => false,
        }
    }
}
