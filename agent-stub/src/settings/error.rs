//! Why the agent does not start with the settings it was given.

use crate::mutant::UnknownMutant;
use crate::settings::block_answer::BlockAnswerError;
use crate::settings::header_list::HeaderListError;
use crate::settings::span::ParseSpanError;

/// Why the agent does not start with the settings it was given.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A required variable is missing or empty.
    #[error("{variable} is missing or empty; it must be set")]
    Missing {
        /// The variable's name.
        variable: &'static str,
    },
    /// No mutant has the name that was given.
    #[error("STUB_MUTANT: {0}")]
    Mutant(#[from] UnknownMutant),
    /// A setting that must be a host and a port is not.
    #[error("{variable}: `{text}` is not host:port")]
    Address {
        /// The variable's name.
        variable: &'static str,
        /// What was written.
        text: String,
    },
    /// Only one of certificate and key was given.
    #[error(
        "SIGSCI_ENVOY_GRPC_CERT and SIGSCI_ENVOY_GRPC_KEY belong together; only {present} is set"
    )]
    HalfIdentity {
        /// The variable that is set.
        present: &'static str,
    },
    /// A setting that must be a boolean is not.
    #[error("{variable}: `{text}` is not one of 1, 0, true, false")]
    Boolean {
        /// The variable's name.
        variable: &'static str,
        /// What was written.
        text: String,
    },
    /// A setting that must be a size is not.
    #[error("{variable}: `{text}` is not a number of bytes from 1024 to 67108864")]
    Size {
        /// The variable's name.
        variable: &'static str,
        /// What was written.
        text: String,
    },
    /// A setting that must be a duration is not.
    #[error("{variable} is not usable")]
    Span {
        /// The variable's name.
        variable: &'static str,
        /// Why it is not a duration.
        #[source]
        source: ParseSpanError,
    },
    /// A duration that must be above zero is zero.
    #[error("{variable} must be longer than zero")]
    ZeroSpan {
        /// The variable's name.
        variable: &'static str,
    },
    /// The protection mode is not known.
    #[error("STUB_MODE: `{text}` is not one of block, log, off")]
    Mode {
        /// What was written.
        text: String,
    },
    /// The access-log service's fault hooks is not known.
    #[error("STUB_ACCESS_LOG: `{text}` is not one of serve, refuse, stall, break=n")]
    AccessLog {
        /// What was written.
        text: String,
    },
    /// The way of blocking is not known.
    #[error("STUB_BLOCKING: `{text}` is not one of immediate, threshold")]
    Blocking {
        /// What was written.
        text: String,
    },
    /// A setting that must be a number within bounds is not.
    #[error("{variable}: `{text}` is not a number from {least} to {most}")]
    Number {
        /// The variable's name.
        variable: &'static str,
        /// What was written.
        text: String,
        /// The least number.
        least: u32,
        /// The greatest number.
        most: u32,
    },
    /// The answer to blocked requests does not hold together.
    #[error(transparent)]
    BlockAnswer(#[from] BlockAnswerError),
    /// A list of headers or names is malformed.
    #[error("{variable} is not usable")]
    List {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        #[source]
        source: HeaderListError,
    },
}
