//! The vocabulary that every other module speaks: scenarios, outcomes, findings, timelines.
//!
//! Nothing here does I/O beyond reading scenario files, and nothing here depends on tokio.

pub mod admission;
pub mod byte_size;
pub mod causes;
pub mod complaints;
pub mod container;
pub mod container_usage;
pub mod contract;
pub mod diagnostic;
pub mod digest;
pub mod endurance;
pub mod expectation;
pub mod exposure;
pub mod feature;
pub mod finding;
pub mod finding_kind;
pub mod identity;
pub mod image_digest;
pub mod image_procedures;
pub mod image_use;
pub mod kept_clients;
pub mod load;
pub mod load_seeds;
pub mod located;
pub mod outcome;
pub mod payload;
pub mod phase;
pub mod procedure;
pub mod profile;
pub mod reload;
pub mod request;
pub mod request_parts;
pub mod rollout;
pub mod scenario;
pub mod seed;
pub mod seed_position;
pub mod stream_kind;
pub mod timeline;
pub mod timeouts;
pub mod timespan;
mod validate;
mod validate_contract;
mod validate_procedure;
mod validate_requests;
mod validate_rollout;
mod validate_seeds;
