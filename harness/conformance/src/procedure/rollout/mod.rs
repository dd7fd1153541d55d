//! `rollout`: a fleet of pods changes while a benign stream and a stream of attacks go on through its Service.

pub use self::specification::{
    JoiningExpectation, Rates, RolloutSpec, RolloutStep, RotateSecret, StreamConnection,
};

mod carry_out;
mod controls;
mod definition;
mod fleet;
mod joining;
mod progress;
mod specification;
mod statuses;
mod steps;
mod validation;
