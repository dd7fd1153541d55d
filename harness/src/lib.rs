//! The conformance suite for WAF agents that run as sidecars behind Envoy.
//!
//! `docs/ARCHITECTURE.md` draws the modules and which may use which.

pub mod cli;
pub mod corpus;
pub mod environment;
pub mod executable;
pub mod image;
pub mod judge;
mod looks;
pub mod model;
pub mod procedure;
pub mod report;
pub mod run;
pub mod self_test;
pub mod stack;
pub mod traffic;
pub mod witness;
