//! What every other crate speaks of: scenarios and what they deploy, requests made from seeds, outcomes, findings, the redactor.
//!
//! Nothing here does I/O beyond reading files, and nothing here depends on tokio. `docs/ARCHITECTURE.md` draws the crates.

pub mod corpus;
pub mod model;
pub mod redaction;
pub mod stack;
