//! A reference agent: it speaks the two gRPC services that Envoy speaks to a WAF agent and reads the agent's settings.
//!
//! It is a specification of intent for the conformance suite, never a claim of WAF efficacy. The harness carries it and runs it as a process of
//! its own; it calls nothing of this library but [`process::main`].

pub mod agent;
pub mod client_address;
pub mod connection;
pub mod context;
pub mod data_log;
pub mod decision;
pub mod exchange;
pub mod inspect;
pub mod instance_metadata;
pub mod listener;
pub mod mutant;
pub mod process;
pub mod rules;
pub mod service;
pub mod settings;
pub mod statsd;
pub mod threshold;
pub mod tls;
pub mod workspace;
