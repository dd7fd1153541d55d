//! Why nothing could be measured.

use camino::Utf8PathBuf;

use harness_core::model::timeouts::TimedOut;
use harness_core::stack::file_error::StackFileError;
use harness_environment::EnvironmentFault;
use harness_traffic::latency::sample::SampleError;

/// Why a benchmark ended without figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A and B are the same.
    #[error("A and B differ in nothing")]
    SameArms,
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
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl BenchError {
    /// Returns what to do about it, where that is known.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::SameArms => Some(
                "name what B has of its own: `--b binary=PATH` or `--b env.NAME=VALUE`; without `--b`, A is measured against itself",
            ),
            Self::Proxy { .. } => Some(
                "name a configuration with one plain listener by `--envoy-config`; `fail-closed` is one",
            ),
            Self::Stack(_)
            | Self::InvalidProxy(_)
            | Self::Environment { .. }
            | Self::TimedOut(_)
            | Self::Driver { .. }
            | Self::Samples(_)
            | Self::Write { .. } => None,
        }
    }
}
