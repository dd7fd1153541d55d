//! The conformance suite for WAF agents that run as sidecars behind Envoy.
//!
//! `docs/ARCHITECTURE.md` draws the crates and modules, and which may use which.

pub mod bench;
pub mod catalogue;
pub mod cli;
pub mod procedure;
pub mod report;
pub mod run;
pub mod self_test;
