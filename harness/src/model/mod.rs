//! The vocabulary that every other module speaks: scenarios, outcomes, findings, timelines.
//!
//! Nothing here does I/O beyond reading scenario files, and nothing here depends on tokio.

pub mod feature;
pub mod identity;
pub mod outcome;
pub mod timeline;
pub mod timeouts;
pub mod timespan;
