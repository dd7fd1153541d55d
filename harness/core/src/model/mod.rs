//! The vocabulary that every other module speaks: scenarios, outcomes, findings, timelines.
//!
//! Nothing here does I/O beyond reading files of a project, and nothing here depends on tokio.

pub mod byte_size;
pub mod call_expectation;
pub mod candidate;
pub mod case;
pub mod causes;
pub mod complaints;
pub mod container;
pub mod container_end;
pub mod container_usage;
pub mod corpora;
pub mod datum;
pub mod diagnostic;
pub mod digest;
pub mod environment_kind;
pub mod expectation;
pub mod feature;
pub mod file_kind;
pub mod finding;
pub mod finding_kind;
pub mod identity;
pub mod image_digest;
pub mod image_use;
pub mod kubelet;
pub mod lint_rule;
pub mod load_seeds;
pub mod located;
pub mod outcome;
pub mod parse;
pub mod payload;
pub mod phase;
pub mod pod_security;
pub mod project;
pub mod pull_policy;
pub mod request;
pub mod request_parts;
pub mod seed;
pub mod seed_position;
pub mod stack_settings;
pub mod stream_kind;
pub mod timeline;
pub mod timeouts;
pub mod timespan;
mod validate_payloads;
pub mod validate_requests;
mod validate_seeds;
