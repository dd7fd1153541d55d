//! The conformance suite for WAF agents that run as sidecars behind Envoy.
//!
//! `docs/ARCHITECTURE.md` draws the modules and which may use which.

pub mod environment;
pub mod executable;
pub mod model;
pub mod stack;
pub mod traffic;
