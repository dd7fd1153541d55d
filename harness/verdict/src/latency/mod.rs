//! From samples to a verdict on latency: percentiles, paired differences with their intervals, and what they allow to be said.
//!
//! The methods, and why they are these, stand in ADR 24.

pub mod comparison;
pub mod difference;
pub mod percentile;
pub mod series;

#[cfg(test)]
mod simulation_tests;
mod student;
